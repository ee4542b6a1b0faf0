-- A stretch of one tenant's index. KEYS: entries, rows, expiry, late or marks (see marked in looked_at.lua). ARGV[2],
-- ARGV[3]: the bounds behind facet and order, both excluded. Answers where it stopped (empty at the end), the time,
-- marks, then times and ids of what has all wanted facets.
local options = read_options()
local index = index_functions()
local now = server_time()
local marks = marked_sessions(options.sharded)
local anchor, fewest = nil, nil
for _, facet in ipairs(options.facets) do
  local count = redis.call('ZLEXCOUNT', KEYS[1], '(' .. facet .. options.order, '(' .. facet .. options.order .. ':')
  if not fewest or count < fewest then anchor, fewest = facet, count end
end

local head = anchor .. options.order
local low, high = '(' .. head .. ARGV[2], '(' .. head .. ARGV[3]
local entries
if options.descending then
  entries = redis.call('ZREVRANGEBYLEX', KEYS[1], high, low, 'LIMIT', 0, options.stretch)
else
  entries = redis.call('ZRANGEBYLEX', KEYS[1], low, high, 'LIMIT', 0, options.stretch)
end

local function is_wanted(row)
  if row_is_expired(row, now) then return false end
  for _, facet in ipairs(options.facets) do
    if facet ~= anchor and not index.row_has_facet(row, facet) then return false end
  end
  local updated_at = row_updated(row)
  return not (options.updated_after and updated_at <= options.updated_after)
    and not (options.updated_before and updated_at >= options.updated_before)
end

local answer = { '', now, marks }
for first = 1, #entries, CHUNK do
  local ids = {}
  for number = first, math.min(first + CHUNK - 1, #entries) do
    ids[#ids + 1] = string.sub(entries[number], #head + 19)
  end
  for number, row in ipairs(redis.call('HMGET', KEYS[2], unpack(ids))) do
    local entry = entries[first + number - 1]
    if row and is_wanted(row) then
      answer[#answer + 1] = string.sub(entry, #head + 1)
      if #answer - 3 == options.limit then
        answer[1] = string.sub(entry, #head + 1)
        return answer
      end
    end
  end
end
if #entries == options.stretch then answer[1] = string.sub(entries[#entries], #head + 1) end
return answer
