-- Create a session, whole, with the messages it begins with (SES-1, SES-4). ARGV[4…]: seq, id and record of each message.
-- Answers the fields of the one that is there, with what happened.
local options = read_options()
local now = server_time()
local there = redis.call('HMGET', KEYS[1], 'row', 'user_id')

if is_living(KEYS[1], there[1], nil, now, nil) then
  if not options.or_get then return { 'exists' } end
  if options.user and options.user ~= there[2] then return { 'absent' } end
  return { 'found', '', redis.call('HGETALL', KEYS[1]) }
end

-- Only where there is something: after a first write the server no longer refuses for want of memory.
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
local created_at = options.created_at or now
local updated_at = options.updated_at or now
local expires_at = options.expires_at or (options.ttl and plus(now, options.ttl)) or nil
local revision = unix_micros(now) -- above all those of an earlier session of this id
local fields = options.fields
local row = row_of(revision, created_at, updated_at, expires_at, options.facets)
append_all(fields, { 'row', row, 'counts', options.counts, 'born', now })
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
local place = place_of()
if place then redis.call('SADD', place.tenants, options.tenant) end
ring()
return answer
