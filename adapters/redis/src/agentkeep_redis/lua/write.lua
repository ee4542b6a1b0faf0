-- Every change of a living session and its log, in the order that `records.Append` states (ORD-1…6, IDEM-1, CNT-1).
-- ARGV[4…]: id, created_at (or empty) and the rest of each new message's record.
local options = read_options()
local now = server_time()
local found = redis.call('HMGET', KEYS[1], 'row', 'user_id', 'counts', 'version')
local old = found[1]
if not is_alive(KEYS[1], old, found[2], now, options.user) then return { 'absent' } end
local last_seq, count, last_message_at = string.match(found[3] or '', '^(%d+) (%d+) (%d*)$')
last_seq, count = tonumber(last_seq) or corrupt('counts'), tonumber(count)
local version = tonumber(found[4]) or corrupt('version')
local revision = row_revision(old) + 1
local added = (#ARGV - 3) / 3

-- Always looked for, so that a repeated call returns what the first one did. The caller compares the contents (IDEM-1).
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
local popped = {}
local log = (options.after or options.pop or options.keep) and log_functions()
if options.after then gone = log.cut(log.entries_up_to(options.after), count - 1) end
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
  popped = log.ids_and_messages(log.ids_between(-1, -1))
  gone = #popped / 2
  redis.call('RPOP', KEYS[2])
  if gone > 0 then redis.call('HDEL', KEYS[3], popped[1]) end
end
if options.keep then gone = gone + log.cut(0, count + added - gone - options.keep - 1) end

local expires_at = row_expires(old)
if options.ttl then
  expires_at = plus(now, options.ttl)
elseif options.idle_ttl then
  local current = expires_at == NEVER and now or expires_at
  expires_at = later(current, plus(now, options.idle_ttl)) -- activity never shortens the time to live
end
local facets = row_facets(old)
if options.facets or options.labels then
  facets = index_functions().changed_facets(facets, options.facets or {}, options.labels)
end
local row = row_of(revision, row_created(old), later(now, row_updated(old)), expires_at, facets)
if added == 0 and gone > 0 then last_message_at = log.newest_message_at() or '' end
local counts = string.format('%.0f %.0f %s', last_seq + added, count + added - gone, last_message_at)

local set = { 'row', row, 'counts', counts }
local unset = options.unset or {}
if options.set then append_all(set, options.set) end
if options.changed then append_all(set, { 'version', string.format('%.0f', version + 1) }) end
if options.status == 'completed' then
  append_all(set, { 'completed_at', redis.call('HGET', KEYS[1], 'completed_at') or now })
elseif options.status then
  unset[#unset + 1] = 'completed_at'
end
redis.call('HSET', KEYS[1], unpack(set))
if #unset > 0 then redis.call('HDEL', KEYS[1], unpack(unset)) end
if expires_at ~= NEVER and (is_new_log or expires_at ~= row_expires(old)) then expire_session(expires_at) end

row = index_session(row)
publish_change()
local answer = { 'written', row, last_seq, now, gone }
if options.whole then answer[6] = redis.call('HGETALL', KEYS[1]) end
if options.pop then answer[6] = popped end
return answer
