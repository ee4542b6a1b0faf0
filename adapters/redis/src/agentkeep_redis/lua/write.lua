-- Every change of a session and its log, in the order that `records.Append` states (ORD-1…6, IDEM-1…3, SES-7, CNT-1,
-- CNT-2, TTL-3). ARGV[4…]: id, created_at (or empty), and content key, role and payload of each message. Nothing is
-- written before everything is checked.
-- Returns what happened; then for a write: the row, the time, the session's version and last_seq, how many messages were
-- added, how many removed; then the session's fields (`whole`), what was popped, or the stored record of each message.
local MAX_COUNTER = 9007199254740991 -- 2^53 - 1
local MAX_COUNTERS = 64

local options = read_options()
local now = server_time()
local found = redis.call('HMGET', KEYS[1], 'row', 'user_id', 'counts', 'version', 'ends_at', 'idle_ttl')
local old, owner = found[1], found[2]
local create = options.create
local is_new = not is_alive(KEYS[1], old, nil, now, nil)
local last_seq, count, last_message_at, version = 0, 0, '', 0
local ends_at, idle_ttl = found[5], found[6]
local facets, revision

if is_new then
  if not create then return { 'absent' } end
  ends_at, idle_ttl = create.ttl and plus(now, create.ttl), create.idle_ttl
  facets, revision = create.facets, first_revision(now)
else
  if create and create.owner and create.owner ~= owner then return { 'exists' } end
  if options.user and options.user ~= owner then return { create and 'exists' or 'absent' } end
  last_seq, count, last_message_at = string.match(found[3] or '', '^(%d+) (%d+) (%d*)$')
  last_seq, count = tonumber(last_seq) or corrupt('counts'), tonumber(count)
  version = tonumber(found[4]) or corrupt('version')
  facets, revision = row_facets(old), row_revision(old) + 1
end

-- Which messages are stored already. Always looked for, so that a repeated call returns what the first one did. The
-- caller compares the contents.
local given = (#ARGV - 3) / 3
local stored, known = {}, 0
if given > 0 and not is_new then
  local ids = {}
  for number = 1, given do ids[number] = ARGV[3 * number + 1] end
  stored = stored_messages(ids)
  for number = 1, given do
    if stored[number] then known = known + 1 end
  end
  if known == given then return { 'stored', unpack(stored) } end
  if known > 0 and not options.skip then return { 'partly', known } end
end
if options.version and options.version ~= version then return { 'version', version } end
if options.last_seq and options.last_seq ~= last_seq then return { 'last_seq', last_seq } end

local counters
if options.add then
  local packed = redis.call('HGET', KEYS[1], 'counters')
  counters = packed and not is_new and cmsgpack.unpack(packed) or {}
  local number = 0
  for name, amount in pairs(options.add) do
    local sum = (counters[name] or 0) + amount
    if math.abs(sum) > MAX_COUNTER then
      return { 'counter', name, string.format('%d', counters[name] or 0) }
    end
    counters[name] = sum
  end
  for _ in pairs(counters) do number = number + 1 end
  if number > MAX_COUNTERS then return { 'counters', number } end
end

-- What goes: `from_end` and `from_start` messages of the log, and so many of the new ones that are not kept.
local log = (options.after or options.pop or options.keep) and log_functions()
local added = given - known
local from_end, from_start, not_kept = 0, 0, 0
local popped = {}
if options.after and not is_new then
  from_end = count - log.entries_up_to(options.after)
elseif options.pop then
  popped = log.ids_and_messages(log.ids_between(-1, -1))
  from_end = #popped[1]
end
if options.keep then
  local surplus = math.max(0, count - from_end + added - options.keep)
  from_start = math.min(surplus, count - from_end)
  not_kept = surplus - from_start
end
local removed = from_end + from_start
local is_new_log = removed == count
if from_end > 0 and not is_new_log then last_message_at = log.message_time(count - from_end - 1) or '' end

if is_new then
  version = create.version
  if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
end
if options.changed then version = version + 1 end
if removed > 0 then
  if is_new_log then
    redis.call('UNLINK', KEYS[2], KEYS[3]) -- another thread frees them: 10,000 messages one by one take 60 ms
  else
    local gone = from_start > 0 and log.ids_between(0, from_start - 1) or {}
    if from_end > 0 then append_all(gone, log.ids_between(count - from_end, -1)) end
    redis.call('LTRIM', KEYS[2], from_start, count - from_end - 1)
    in_chunks('HDEL', KEYS[3], gone)
  end
end
if added > 0 then
  local entries, messages = {}, {}
  local seq = last_seq
  local version_text = string.format('%d', version)
  for number = 1, given do
    if not stored[number] then
      local at = 3 * number + 1
      local created_at = ARGV[at + 1]
      if created_at == '' then created_at = now end
      seq = seq + 1
      last_message_at = created_at
      if seq - last_seq > not_kept then
        local seq_text = string.format('%d', seq)
        entries[#entries + 1] = seq_text .. ':' .. ARGV[at]
        messages[#messages + 1] = ARGV[at]
        messages[#messages + 1] = seq_text .. '\n' .. created_at .. '\n' .. version_text .. '\n' .. ARGV[at + 2]
      end
    end
  end
  in_chunks('RPUSH', KEYS[2], entries)
  in_chunks('HSET', KEYS[3], messages)
end
last_seq = last_seq + added
count = count - removed + added - not_kept
if count == 0 then last_message_at = '' end

local set = { 'counts', string.format('%d %d %s', last_seq, count, last_message_at) }
local unset = options.unset or {}
local function set_or_unset(name, value)
  if value then
    append_all(set, { name, value })
  else
    unset[#unset + 1] = name
  end
end

local moment = is_new and now or later(now, row_updated(old))
if options.ttl ~= nil then
  ends_at = options.ttl and plus(moment, options.ttl)
  set_or_unset('ends_at', ends_at)
end
if options.idle_ttl ~= nil then
  idle_ttl = options.idle_ttl
  set_or_unset('idle_ttl', idle_ttl)
end
local expires_at = is_new and NEVER or row_expires(old)
if is_new or given > 0 or options.slide or options.ttl ~= nil or options.idle_ttl ~= nil then
  expires_at = expiry(ends_at, idle_ttl, moment)
end
if options.facets or options.labels then
  facets = index_functions().changed_facets(facets, options.facets or {}, options.labels)
end
local row
if is_new then
  row = row_of(revision, now, now, expires_at, facets)
  redis.call('HSET', KEYS[1], unpack(create.fields))
  append_all(set, { 'created', now, 'version', string.format('%d', version) })
  if ends_at then append_all(set, { 'ends_at', ends_at }) end
  if idle_ttl then append_all(set, { 'idle_ttl', idle_ttl }) end
else
  row = row_of(revision, row_created(old), moment, expires_at, facets)
end
append_all(set, { 'row', row })
if options.set then append_all(set, options.set) end
if counters then append_all(set, { 'counters', cmsgpack.pack(counters) }) end
if options.changed then append_all(set, { 'version', string.format('%d', version) }) end
if options.status then
  local completed_at = redis.call('HGET', KEYS[1], 'completed_at') or moment
  set_or_unset('completed_at', options.status == 'completed' and completed_at)
end
redis.call('HSET', KEYS[1], unpack(set))
if #unset > 0 then redis.call('HDEL', KEYS[1], unpack(unset)) end
-- Read before the keys get their end: if that is over already, PEXPIREAT deletes them at once.
local whole = options.whole and redis.call('HGETALL', KEYS[1])
if expires_at ~= NEVER then
  if is_new or is_new_log or expires_at ~= row_expires(old) then expire_session(expires_at) end
elseif not is_new and row_expires(old) ~= NEVER then
  keep_session()
end

local answer = { 'written', '', now, string.format('%d', version), last_seq, added, removed, stored }
if whole then answer[8] = whole end
if options.pop then answer[8] = popped end
if is_new then
  answer[2] = index_new_session(row, options.tenant)
else
  answer[2] = index_session(row)
end
publish_change()
return answer
