-- Put ARGV[2] in the place of a message's record if it still is ARGV[3]; its seq and time are in both.
local options = cmsgpack.unpack(ARGV[1])
local now = server_time()
local there = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at', 'user_id', 'updated_at', 'revision',
  'facet_all', 'facet_user', 'facet_agent', 'facet_status', 'facet_parent', 'facet_labels')
if not is_living(there[1], there[2], there[3], now, options.user) then return { 'absent' } end
if redis.call('HGET', KEYS[3], options.message) ~= ARGV[3] then return { 'changed' } end
local revision = whole_number(there[5], 'revision') + 1
local updated_at = later(now, there[4])
redis.call('HSET', KEYS[3], options.message, ARGV[2])
redis.call('HSET', KEYS[1], 'updated_at', updated_at, 'revision', string.format('%.0f', revision))
local row = row_of(revision, there[1], updated_at, there[2], table.concat(there, '', 6, 11))
return { 'written', index_session(options.id, row) }
