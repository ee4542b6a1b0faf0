-- Replace content key, role and payload of a message by ARGV[4], if it still has the content key `expected`; its seq, its
-- time and its version stay. Returns what happened, the row, and the new record.
local options = read_options()
local now = server_time()
local found = redis.call('HMGET', KEYS[1], 'row', 'user_id')
local old = found[1]
if not is_alive(KEYS[1], old, found[2], now, options.user) then return { 'absent' } end
local revision = row_revision(old) + 1
local record = redis.call('HGET', KEYS[3], options.message)
if not record then return { 'no message' } end
local head, content_key = string.match(record, '^(%d+\n%d+\n%d+\n)([^\n]*)\n')
if not head then corrupt('message') end
if content_key ~= options.expected then return { 'changed' } end
local row = row_of(revision, row_created(old), later(now, row_updated(old)), row_expires(old), row_facets(old))
redis.call('HSET', KEYS[3], options.message, head .. ARGV[4])
redis.call('HSET', KEYS[1], 'row', row)
return { 'written', index_session(row), head .. ARGV[4] }
