-- How many sessions have one facet and a time of update between two bounds. KEYS, ARGV[2], ARGV[3] as in page.lua.
-- Answers the count, without the sessions that have marks, and the marks.
local options = read_options()
local index = index_functions()
local now = server_time()
local marks = marked_sessions(options.sharded)
local head = options.facet .. 'u'
local low, high = '(' .. head .. ARGV[2], '(' .. head .. ARGV[3]
local count = redis.call('ZLEXCOUNT', KEYS[1], low, high)

-- Whether the row's entry is among those that were counted.
local function is_counted(id, row)
  if not row or not index.row_has_facet(row, options.facet) then return false end
  local entry = head .. row_updated(row) .. id
  return redis.call('ZLEXCOUNT', KEYS[1], '[' .. entry, '[' .. entry) == 1
    and (options.updated_after == nil or row_updated(row) > options.updated_after)
    and (options.updated_before == nil or row_updated(row) < options.updated_before)
end

local is_marked = {}
for number = 1, #marks, 2 do is_marked[marks[number]] = true end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', unix_micros(now)))) do
  if not is_marked[id] and is_counted(id, redis.call('HGET', KEYS[2], id)) then
    count = count - 1
  end
end
for number = 1, #marks, 2 do
  if is_counted(marks[number], redis.call('HGET', KEYS[2], marks[number])) then count = count - 1 end
end
return { count, now, marks }
