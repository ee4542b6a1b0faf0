-- Put ARGV[4] in the place of a message's record if it still is ARGV[5]; its seq and time are in both.
local options = read_options()
local now = server_time()
local there = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at', 'user_id', 'updated_at', 'revision', 'facets')
if not is_living(there[1], there[2], there[3], now, options.user) then return { 'absent' } end
if redis.call('HGET', KEYS[3], options.message) ~= ARGV[5] then return { 'changed' } end
local revision = whole_number(there[5], 'revision') + 1
local updated_at = later(now, there[4])
redis.call('HSET', KEYS[3], options.message, ARGV[4])
redis.call('HSET', KEYS[1], 'updated_at', updated_at, 'revision', string.format('%.0f', revision))
return { 'written', index_session(row_of(revision, there[1], updated_at, there[2], there[6])) }
