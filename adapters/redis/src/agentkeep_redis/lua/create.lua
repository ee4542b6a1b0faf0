-- Create a session, whole, with the messages it begins with (SES-1, SES-4). ARGV[4…]: seq, id and record of each message.
-- Answers the fields of the one that is there, with what happened.
local options = read_options()
local now = server_time()
local there = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at', 'user_id')

if there[1] and not is_expired(there[2], now) then
  if not options.or_get then return { 'exists' } end
  if options.user and options.user ~= there[3] then return { 'absent' } end
  return { 'found', '', redis.call('HGETALL', KEYS[1]) }
end

-- Only where there is something: after a first write the server no longer refuses for want of memory.
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
local created_at = options.created_at or now
local updated_at = options.updated_at or now
local expires_at = options.expires_at or (options.ttl and plus(now, options.ttl)) or nil
local revision = unix_micros(now) -- above all those of an earlier session of this id
local fields = options.fields
append_all(fields, { 'created_at', created_at, 'updated_at', updated_at, 'born', now })
append_all(fields, { 'revision', string.format('%.0f', revision), 'facets', options.facets })
if expires_at then append_all(fields, { 'expires_at', expires_at }) end
redis.call('HSET', KEYS[1], unpack(fields))
local entries, messages = {}, {}
for at = 4, #ARGV, 3 do
  entries[#entries + 1] = ARGV[at] .. ':' .. ARGV[at + 1]
  append_all(messages, { ARGV[at + 1], ARGV[at + 2] })
end
in_chunks('RPUSH', KEYS[2], entries)
in_chunks('HSET', KEYS[3], messages)

local answer = { 'created', '', redis.call('HGETALL', KEYS[1]) }
expire_session(expires_at)
answer[2] = index_session(row_of(revision, created_at, updated_at, expires_at, options.facets))
local place = place_of()
if place then redis.call('SADD', place.tenants, options.tenant) end
ring()
return answer
