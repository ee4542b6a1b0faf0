-- How many living sessions have one facet. KEYS: see index_to_read in index.lua. What has expired has an entry by
-- expires_at, so counting costs the same however many have (COST-3).
-- Returns the count without the uncertain sessions, and those.
local options = read_options()
local index = index_to_read(options.cluster)
local functions = index_functions()
local uncertain = functions.uncertain_sessions(index)
local now = server_time()
local facet = options.facet

local all = redis.call('ZLEXCOUNT', index.entries, '(' .. facet .. 'c', '(' .. facet .. 'd')
local expired = redis.call('ZLEXCOUNT', index.entries, '(' .. facet .. 'x', '(' .. facet .. 'x' .. now .. '\255')
local count = all - expired

-- Whether an uncertain session's entries are among those that were counted.
for number = 1, #uncertain, 2 do
  local row = redis.call('HGET', index.rows, uncertain[number])
  if row and #row >= LEAST_ROW and functions.row_has_facet(row, facet) and not row_is_expired(row, now) then
    count = count - 1
  end
end
return { count, uncertain }
