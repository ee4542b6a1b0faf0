-- Every change of a living session and its log, in the order that `records.Append` states (ORD-1…6, IDEM-1, CNT-1).
-- ARGV[1]: options. ARGV[2…]: id, created_at (or empty) and the rest of each new message's record.
local options = cmsgpack.unpack(ARGV[1])
local now = server_time()
local there = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at', 'user_id', 'version', 'last_seq', 'updated_at',
  'revision', 'completed_at', 'message_count', 'facet_all', 'facet_user', 'facet_agent', 'facet_status', 'facet_parent',
  'facet_labels')
if not is_living(there[1], there[2], there[3], now, options.user) then return { 'absent' } end
local version = whole_number(there[4], 'version')
local last_seq = whole_number(there[5], 'last_seq')
local revision = whole_number(there[7], 'revision') + 1
local added = (#ARGV - 1) / 3

-- Always looked for, so that a repeated call is answered as the first one was; core compares the contents (IDEM-1).
if added > 0 then
  local ids = {}
  for number = 1, added do ids[number] = ARGV[3 * number - 1] end
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
if options.after then gone = gone + cut(entries_up_to(options.after), redis.call('LLEN', KEYS[2]) - 1) end
for number = 1, added do
  local at = 3 * number - 1
  local created_at = ARGV[at + 1]
  if created_at == '' then created_at = now end
  local seq = string.format('%.0f', last_seq + number)
  redis.call('RPUSH', KEYS[2], seq .. ':' .. ARGV[at])
  redis.call('HSET', KEYS[3], ARGV[at], seq .. '\n' .. created_at .. '\n' .. ARGV[at + 2])
  last_message_at = created_at
end
if options.pop then
  popped = ids_and_messages(ids_between(-1, -1))
  gone = #popped / 2
  redis.call('RPOP', KEYS[2])
  if gone > 0 then redis.call('HDEL', KEYS[3], popped[1]) end
end
if options.keep then gone = gone + cut(0, redis.call('LLEN', KEYS[2]) - options.keep - 1) end

local set = { 'updated_at', later(now, there[6]), 'revision', string.format('%.0f', revision) }
local unset = options.unset or {}
if options.set then append_all(set, options.set) end
if options.changed then append_all(set, { 'version', string.format('%.0f', version + 1) }) end
if options.status == 'completed' then
  append_all(set, { 'completed_at', there[8] or now })
elseif options.status then
  unset[#unset + 1] = 'completed_at'
end
if added > 0 or gone > 0 then
  local count = whole_number(there[9], 'message_count') + added - gone
  append_all(set, { 'last_seq', string.format('%.0f', last_seq + added), 'message_count', string.format('%.0f', count) })
  if added == 0 then last_message_at = newest_message_at() end
  if last_message_at then
    append_all(set, { 'last_message_at', last_message_at })
  else
    unset[#unset + 1] = 'last_message_at'
  end
end

local expires_at = there[2]
if options.ttl then
  expires_at = plus(now, options.ttl)
elseif options.idle_ttl then
  expires_at = later(expires_at or now, plus(now, options.idle_ttl)) -- activity never shortens a life
end
if expires_at then append_all(set, { 'expires_at', expires_at }) end
redis.call('HSET', KEYS[1], unpack(set))
if #unset > 0 then redis.call('HDEL', KEYS[1], unpack(unset)) end
expire_session(expires_at)

local facets = table.concat(there, '', 10, 15)
if options.set then
  facets = table.concat(redis.call('HMGET', KEYS[1], 'facet_all', 'facet_user', 'facet_agent', 'facet_status',
    'facet_parent', 'facet_labels'))
end
local row = index_session(options.id, row_of(revision, there[1], later(now, there[6]), expires_at, facets))
ring(options.bell, options.sharded)
local answer = { 'written', row, last_seq, now, gone }
if options.whole then answer[6] = redis.call('HGETALL', KEYS[1]) end
if options.pop then answer[6] = popped end
return answer
