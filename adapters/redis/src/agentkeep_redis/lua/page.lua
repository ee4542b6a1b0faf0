-- A part of one tenant's index. KEYS: see index_to_read in index.lua. ARGV[2], ARGV[3]: the bounds behind facet and
-- order, both excluded. Returns the last entry that was looked at (empty at the end), the time, the uncertain sessions,
-- then times and ids of what has all wanted facets.
local options = read_options()
local index = index_to_read(options.cluster)
local functions = index_functions()
local now = server_time()
local uncertain = functions.uncertain_sessions(index)
local rarest, fewest = nil, nil
for _, facet in ipairs(options.facets) do
  local count = redis.call('ZLEXCOUNT', index.entries, '(' .. facet .. options.order, '(' .. facet .. options.order .. ':')
  if not fewest or count < fewest then rarest, fewest = facet, count end
end

local head = rarest .. options.order
local low, high = '(' .. head .. ARGV[2], '(' .. head .. ARGV[3]
local entries
if options.descending then
  entries = redis.call('ZREVRANGEBYLEX', index.entries, high, low, 'LIMIT', 0, options.width)
else
  entries = redis.call('ZRANGEBYLEX', index.entries, low, high, 'LIMIT', 0, options.width)
end

local function is_wanted(row)
  for _, facet in ipairs(options.facets) do
    if facet ~= rarest and not functions.row_has_facet(row, facet) then return false end
  end
  local updated_at = row_updated(row)
  return not (options.updated_after and updated_at <= options.updated_after)
    and not (options.updated_before and updated_at >= options.updated_before)
end

local answer = { '', now, uncertain }
local expired = {}

local function look_at(entry, id, row)
  if not row then return end
  if row_is_expired(row, now) then
    expired[id] = row
  elseif is_wanted(row) then
    answer[#answer + 1] = string.sub(entry, #head + 1)
  end
end

local function look_at_all()
  for first = 1, #entries, CHUNK do
    local ids = {}
    for number = first, math.min(first + CHUNK - 1, #entries) do
      ids[#ids + 1] = string.sub(entries[number], #head + 19)
    end
    for number, row in ipairs(redis.call('HMGET', index.rows, unpack(ids))) do
      local entry = entries[first + number - 1]
      look_at(entry, ids[number], row)
      if #answer - 3 == options.limit then return string.sub(entry, #head + 1) end
    end
  end
  if #entries == options.width then return string.sub(entries[#entries], #head + 1) end
  return ''
end

answer[1] = look_at_all()
functions.forget_expired(index, rarest, options.order, expired)
return answer
