-- Remove rows of expired sessions; their own keys the server has removed. KEYS: entries, rows, expiry, and on a single
-- server what is pending and the set of tenants. Returns how many were removed, how many were looked at, and whether any
-- row is left.
local options = read_options()
local functions = index_functions()
local until_now = string.format('%d', unix_micros(server_time()))
local index = { entries = KEYS[1], rows = KEYS[2], expiry = KEYS[3], pending = KEYS[4], tenants = KEYS[5] }
if index.pending then functions.bring_in(index) end
local removed = 0
local ids = redis.call('ZRANGEBYSCORE', index.expiry, '-inf', until_now, 'LIMIT', options.skip, options.limit)
for _, id in ipairs(ids) do
  local row = redis.call('HGET', index.rows, id)
  if row and (not options.facet or functions.row_has_facet(row, options.facet)) then
    functions.remove_row(index, id, row)
    removed = removed + 1
  end
end
local left = redis.call('EXISTS', index.rows)
if left == 0 and index.tenants then redis.call('SREM', index.tenants, options.tenant) end
return { removed, #ids, left }
