-- Shared by the scripts that change a session. ARGV[2]: its id. ARGV[3]: its bell.
-- On a single server its tenant's index is in KEYS[4] to KEYS[7], and KEYS[8] is the set of tenants. On a cluster the
-- index is in another slot, and the script answers what the caller is to write there.

local function place_of()
  if #KEYS < 8 then return nil end
  return { entries = KEYS[4], rows = KEYS[5], expiry = KEYS[6], late = KEYS[7], tenants = KEYS[8] }
end

local function index_session(row)
  local place = place_of()
  if not place then return row end
  put_row_late(place, ARGV[2], row)
  return ''
end

local function unindex_session(revision, tenant)
  local place = place_of()
  if not place then return string.format('%016.0f', revision) end
  local row = redis.call('HGET', place.rows, ARGV[2])
  if row then index_functions().remove_row(place, ARGV[2], row) end
  redis.call('HDEL', place.late, ARGV[2])
  if redis.call('EXISTS', place.rows, place.late) == 0 then redis.call('SREM', place.tenants, tenant) end
  return ''
end

-- The bell only says when to look; the log is the truth (WATCH-1). A cluster's is heard in the session's slot alone.
local function ring()
  redis.call(#KEYS < 8 and 'SPUBLISH' or 'PUBLISH', ARGV[3], '')
end
