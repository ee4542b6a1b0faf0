-- The log of a session: KEYS[2] and KEYS[3] together.

local function stored_messages(ids)
  local found = {}
  for first = 1, #ids, CHUNK do
    append_all(found, redis.call('HMGET', KEYS[3], unpack(ids, first, math.min(first + CHUNK - 1, #ids))))
  end
  return found
end

-- One function defines the others, see index.lua.
local function log_functions()
  local function seq_of(entry)
    return tonumber(string.match(entry, '^(%d+):')) or corrupt('log')
  end

  local function id_of(entry)
    local colon = string.find(entry, ':', 1, true) or corrupt('log')
    return string.sub(entry, colon + 1)
  end

  -- How many entries have a seq of at most `seq`. If the log has no gap behind it, one reading finds it (READ-3).
  local function entries_up_to(seq)
    local count = redis.call('LLEN', KEYS[2])
    if count == 0 then return 0 end
    local newest = seq_of(redis.call('LINDEX', KEYS[2], -1))
    if seq >= newest then return count end
    local guess = count - (newest - seq)
    if guess >= 1 and seq_of(redis.call('LINDEX', KEYS[2], guess - 1)) == seq then return guess end
    local low, high = 0, count
    while low < high do
      local middle = math.floor((low + high) / 2)
      if seq_of(redis.call('LINDEX', KEYS[2], middle)) <= seq then
        low = middle + 1
      else
        high = middle
      end
    end
    return low
  end

  -- The ids of the entries `first` to `last` (from 0, both included).
  local function ids_between(first, last)
    local ids = redis.call('LRANGE', KEYS[2], first, last)
    for number, entry in ipairs(ids) do ids[number] = id_of(entry) end
    return ids
  end

  -- When the message of an entry was created.
  local function message_time(position)
    local entry = redis.call('LINDEX', KEYS[2], position)
    local message = entry and redis.call('HGET', KEYS[3], id_of(entry))
    return message and string.match(message, '^%d+\n(%d+)\n')
  end

  -- Two lists: ids, and messages. A message that the log names and the hash does not have is false: the reader raises
  -- `Corrupt`.
  local function ids_and_messages(ids)
    if #ids == 0 then return { ids, ids } end
    if #ids > CHUNK then return { ids, stored_messages(ids) } end
    return { ids, redis.call('HMGET', KEYS[3], unpack(ids)) } -- with no copy
  end

  return {
    entries_up_to = entries_up_to,
    ids_between = ids_between,
    ids_and_messages = ids_and_messages,
    message_time = message_time,
  }
end
