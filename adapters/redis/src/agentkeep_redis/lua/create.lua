-- Create a session, whole, with the messages it begins with (SES-1, SES-4). ARGV[4…]: seq, id and record of each message.
-- Returns what happened, and the fields of the session.
local options = read_options()
local now = server_time()
local found = redis.call('HMGET', KEYS[1], 'row', 'user_id')

if is_alive(KEYS[1], found[1], nil, now, nil) then
  if not options.or_get then return { 'exists' } end
  if options.user and options.user ~= found[2] then return { 'absent' } end
  return { 'found', '', redis.call('HGETALL', KEYS[1]) }
end

-- Only if there is something: after a first write the server no longer refuses a script for lack of memory.
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
local created_at = options.created_at or now
local updated_at = options.updated_at or now
local expires_at = options.expires_at or (options.ttl and plus(now, options.ttl)) or nil
local revision = unix_micros(now) -- greater than all revisions of an earlier session of this id
local fields = options.fields
local row = row_of(revision, created_at, updated_at, expires_at, options.facets)
append_all(fields, { 'row', row, 'counts', options.counts, 'created', now })
redis.call('HSET', KEYS[1], unpack(fields))
local entries, messages = {}, {}
for at = 4, #ARGV, 3 do
  entries[#entries + 1] = ARGV[at] .. ':' .. ARGV[at + 1]
  append_all(messages, { ARGV[at + 1], ARGV[at + 2] })
end
in_chunks('RPUSH', KEYS[2], entries)
in_chunks('HSET', KEYS[3], messages)

local answer = { 'created', '', redis.call('HGETALL', KEYS[1]) }
if expires_at then expire_session(expires_at) end
answer[2] = index_session(row)
local index = index_to_write()
if index then redis.call('SADD', index.tenants, options.tenant) end
publish_change()
return answer
