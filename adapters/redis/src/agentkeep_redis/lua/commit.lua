-- Shared by the scripts that change a session. ARGV[2]: its id. ARGV[3]: the channel on which the change is published.
-- On a single server its tenant's index is in KEYS[4] to KEYS[7], and KEYS[8] is the set of tenants. On a cluster the
-- index is in another slot, and the script returns what the caller must write there.

local function index_to_write()
  if #KEYS < 8 then return nil end
  return { entries = KEYS[4], rows = KEYS[5], expiry = KEYS[6], pending = KEYS[7], tenants = KEYS[8] }
end

local function index_session(row)
  local index = index_to_write()
  if not index then return row end
  put_row_later(index, ARGV[2], row)
  return ''
end

local function index_new_session(row, tenant)
  local index = index_to_write()
  if index then redis.call('SADD', index.tenants, tenant) end
  return index_session(row)
end

local function unindex_session(revision, tenant)
  local index = index_to_write()
  if not index then return string.format('%016d', revision) end
  local row = redis.call('HGET', index.rows, ARGV[2])
  if row then index_functions().remove_row(index, ARGV[2], row) end
  redis.call('HDEL', index.pending, ARGV[2])
  if redis.call('EXISTS', index.rows, index.pending) == 0 then redis.call('SREM', index.tenants, tenant) end
  return ''
end

-- Tells watchers only that there is something to read; the log is the truth (WATCH-1).
local function publish_change()
  redis.call('PUBLISH', ARGV[3], '')
end
