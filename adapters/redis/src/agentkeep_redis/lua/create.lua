-- Create a session, whole, with the messages it begins with (SES-1, SES-4). ARGV[4…]: seq, id and record of each message.
-- `created_at`, `updated_at`, `ends_at` and `expires_at` are given for a session that is stored as it once was; a new one
-- has `ttl`. Returns what happened, and the fields of the session.
local options = read_options()
local now = server_time()
local found = redis.call('HMGET', KEYS[1], 'row', 'user_id')

if is_alive(KEYS[1], found[1], nil, now, nil) then
  local owner = found[2]
  if not options.or_get then return { 'exists' } end
  if options.owner and options.owner ~= owner then return { 'exists' } end
  if options.user and options.user ~= owner then return { 'exists' } end
  return { 'found', '', redis.call('HGETALL', KEYS[1]) }
end

-- Only if there is something: after a first write the server no longer refuses a script for lack of memory.
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
local created_at = options.created_at or now
local ends_at = options.ends_at or (options.ttl and plus(now, options.ttl))
local expires_at = options.expires_at or expiry(ends_at, options.idle_ttl, now)
local row = row_of(first_revision(now), created_at, options.updated_at or now, expires_at, options.facets)
local fields = options.fields
append_all(fields, { 'row', row, 'counts', options.counts, 'created', now })
if ends_at then append_all(fields, { 'ends_at', ends_at }) end
if options.idle_ttl then append_all(fields, { 'idle_ttl', options.idle_ttl }) end
if options.counters then append_all(fields, { 'counters', cmsgpack.pack(options.counters) }) end
redis.call('HSET', KEYS[1], unpack(fields))
local entries, messages = {}, {}
for at = 4, #ARGV, 3 do
  entries[#entries + 1] = ARGV[at] .. ':' .. ARGV[at + 1]
  append_all(messages, { ARGV[at + 1], ARGV[at + 2] })
end
in_chunks('RPUSH', KEYS[2], entries)
in_chunks('HSET', KEYS[3], messages)

local answer = { 'created', '', redis.call('HGETALL', KEYS[1]) }
if expires_at ~= NEVER then expire_session(expires_at) end
answer[2] = index_new_session(row, options.tenant)
publish_change()
return answer
