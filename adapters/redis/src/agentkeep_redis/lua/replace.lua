-- Replace a message's record by ARGV[4] if it still is ARGV[5]; both contain its seq and time.
local options = read_options()
local now = server_time()
local found = redis.call('HMGET', KEYS[1], 'row', 'user_id')
local old = found[1]
if not is_alive(KEYS[1], old, found[2], now, options.user) then return { 'absent' } end
if redis.call('HGET', KEYS[3], options.message) ~= ARGV[5] then return { 'changed' } end
local row = string.format('%016.0f', row_revision(old) + 1)
  .. row_created(old) .. later(now, row_updated(old)) .. row_expires(old) .. row_facets(old)
redis.call('HSET', KEYS[3], options.message, ARGV[4])
redis.call('HSET', KEYS[1], 'row', row)
return { 'written', index_session(row) }
