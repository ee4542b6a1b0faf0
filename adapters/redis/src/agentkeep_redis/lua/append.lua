-- The beginning of write.lua: an append without options, to a session that lives and has no idle time. It stands before
-- all functions, because a script pays for each function that it defines at each call: 32 µs of server time become 23.
-- Whatever it does not expect it leaves to the rest of the script, before anything is written. The keys and arguments
-- are those of write.lua, the row and `counts` are described in common.lua, what is pending in index.lua.
local given = (#ARGV - 3) / 3
local options = ARGV[1] == '' and {} or cmsgpack.unpack(ARGV[1])
local user = options.user
options.user = nil
if given > 0 and given <= 500 and next(options) == nil then
  local found = redis.call('HMGET', KEYS[1], 'row', 'user_id', 'counts', 'version', 'idle_ttl')
  local row, version = found[1], found[4]
  local last_seq, count = string.match(found[3] or '', '^(%d+) (%d+) ')
  local revision = tonumber(string.sub(row or '', 1, 16))
  local is_usual = revision and tonumber(version) and last_seq and not found[5] and #row >= 150 and #row <= 1000
    and (not user or user == found[2])
    and (#KEYS < 8 or redis.call('HLEN', KEYS[7]) < 64)
  if is_usual then
    local time = redis.call('TIME')
    local now = string.format('%012d%06d', time[1] + 62135596800, time[2])
    local expires_at = string.sub(row, 53, 70)
    is_usual = expires_at == '------------------' or (expires_at > now and count ~= '0')
    local ids, entries, messages = {}, {}, {}
    local seq, last_message_at = tonumber(last_seq), ''
    for number = 1, given do
      local at = 3 * number + 1
      seq = seq + 1
      last_message_at = ARGV[at + 1]
      if last_message_at == '' then last_message_at = now end
      local seq_text = string.format('%d', seq)
      ids[number] = ARGV[at]
      entries[number] = seq_text .. ':' .. ARGV[at]
      messages[2 * number - 1] = ARGV[at]
      messages[2 * number] = seq_text .. '\n' .. last_message_at .. '\n' .. version .. '\n' .. ARGV[at + 2]
    end
    local stored = is_usual and redis.call('HMGET', KEYS[3], unpack(ids)) or {}
    for number = 1, given do is_usual = is_usual and stored[number] == false end
    if is_usual then
      local updated_at = string.sub(row, 35, 52)
      if updated_at < now then updated_at = now end
      row = string.format('%016d', revision + 1) .. string.sub(row, 17, 34) .. updated_at .. string.sub(row, 53)
      redis.call('RPUSH', KEYS[2], unpack(entries))
      redis.call('HSET', KEYS[3], unpack(messages))
      local counts = string.format('%d %d %s', seq, count + given, last_message_at)
      redis.call('HSET', KEYS[1], 'counts', counts, 'row', row)
      if #KEYS == 8 then
        redis.call('HSET', KEYS[7], ARGV[2], row)
        row = ''
      end
      redis.call('PUBLISH', ARGV[3], '')
      return { 'written', row, now, version, seq, given, 0, {} }
    end
  end
end
