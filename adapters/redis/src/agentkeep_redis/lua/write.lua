-- Every change of a living session and its log, in the order that `records.Append` states (ORD-1…6, IDEM-1, CNT-1).
-- ARGV[4…]: id, created_at (or empty) and the rest of each new message's record.
local options = read_options()
local now = server_time()
local there = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at', 'user_id', 'updated_at', 'facets', 'version',
  'last_seq', 'revision', 'message_count')
if not is_living(there[1], there[2], there[3], now, options.user) then return { 'absent' } end
local facets = there[5]
local version = whole_number(there[6], 'version')
local last_seq = whole_number(there[7], 'last_seq')
local revision = whole_number(there[8], 'revision') + 1
local count = whole_number(there[9], 'message_count')
local added = (#ARGV - 3) / 3

-- Always looked for, so that a repeated call is answered as the first one was; core compares the contents (IDEM-1).
if added > 0 then
  local ids = {}
  for number = 1, added do ids[number] = ARGV[3 * number + 1] end
  local known = 0
  local stored = stored_messages(ids)
  for number = 1, added do
    if stored[number] then known = known + 1 end
  end
  if known == added then return { 'stored', unpack(stored) } end
  if known > 0 then return { 'partly', known } end
end
if options.version and options.version ~= version then return { 'version', version } end
if options.last_seq and options.last_seq ~= last_seq then return { 'last_seq', last_seq } end

local gone = 0
local last_message_at = nil
local popped = {}
if options.after then gone = cut(entries_up_to(options.after), count - 1) end
local is_new_log = gone == count
if added > 0 then
  local entries, messages = {}, {}
  for number = 1, added do
    local at = 3 * number + 1
    local created_at = ARGV[at + 1]
    if created_at == '' then created_at = now end
    local seq = string.format('%.0f', last_seq + number)
    entries[number] = seq .. ':' .. ARGV[at]
    messages[2 * number - 1] = ARGV[at]
    messages[2 * number] = seq .. '\n' .. created_at .. '\n' .. ARGV[at + 2]
    last_message_at = created_at
  end
  in_chunks('RPUSH', KEYS[2], entries)
  in_chunks('HSET', KEYS[3], messages)
end
if options.pop then
  popped = ids_and_messages(ids_between(-1, -1))
  gone = #popped / 2
  redis.call('RPOP', KEYS[2])
  if gone > 0 then redis.call('HDEL', KEYS[3], popped[1]) end
end
if options.keep then gone = gone + cut(0, count + added - gone - options.keep - 1) end

local updated_at = later(now, there[4])
local set = {
  'updated_at', updated_at,
  'revision', string.format('%.0f', revision),
  'last_seq', string.format('%.0f', last_seq + added),
  'message_count', string.format('%.0f', count + added - gone),
}
local unset = options.unset or {}
if options.set then append_all(set, options.set) end
if options.changed then append_all(set, { 'version', string.format('%.0f', version + 1) }) end
if options.facets or options.labels then
  facets = changed_facets(facets, options.facets or {}, options.labels)
  append_all(set, { 'facets', facets })
end
if options.status == 'completed' then
  append_all(set, { 'completed_at', redis.call('HGET', KEYS[1], 'completed_at') or now })
elseif options.status then
  unset[#unset + 1] = 'completed_at'
end
if added == 0 and gone > 0 then last_message_at = newest_message_at() end
if last_message_at then
  append_all(set, { 'last_message_at', last_message_at })
elseif gone > 0 then
  unset[#unset + 1] = 'last_message_at'
end

local expires_at = there[2]
if options.ttl then
  expires_at = plus(now, options.ttl)
elseif options.idle_ttl then
  expires_at = later(expires_at or now, plus(now, options.idle_ttl)) -- activity never shortens a life
end
if expires_at ~= there[2] then append_all(set, { 'expires_at', expires_at }) end
redis.call('HSET', KEYS[1], unpack(set))
if #unset > 0 then redis.call('HDEL', KEYS[1], unpack(unset)) end
if expires_at and (expires_at ~= there[2] or is_new_log) then expire_session(expires_at) end

local row = index_session(row_of(revision, there[1], updated_at, expires_at, facets))
ring()
local answer = { 'written', row, last_seq, now, gone }
if options.whole then answer[6] = redis.call('HGETALL', KEYS[1]) end
if options.pop then answer[6] = popped end
return answer
