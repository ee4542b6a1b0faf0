-- Where a session's script finds its tenant's index: on a single server in KEYS[4] to KEYS[7], the last being the set of
-- tenants. On a cluster it is in another slot, and the script answers what the caller is to write there.

local function place_of()
  if #KEYS < 7 then return nil end
  return { entries = KEYS[4], rows = KEYS[5], expiry = KEYS[6], tenants = KEYS[7] }
end

local function index_session(id, row)
  local place = place_of()
  if not place then return row end
  put_row(place, id, row)
  return ''
end

local function unindex_session(id, revision, tenant)
  local place = place_of()
  if not place then return string.format('%016.0f', revision) end
  local row = redis.call('HGET', place.rows, id)
  if row then remove_row(place, id, row) end
  if redis.call('EXISTS', place.rows) == 0 then redis.call('SREM', place.tenants, tenant) end
  return ''
end

-- The bell only says when to look; the log is the truth (WATCH-1).
local function ring(bell, sharded)
  redis.call(sharded and 'SPUBLISH' or 'PUBLISH', bell, '')
end
