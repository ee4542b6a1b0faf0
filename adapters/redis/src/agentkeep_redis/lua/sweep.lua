-- Remove rows of expired sessions; their own keys the server has removed. KEYS: entries, rows, expiry, and on a single
-- server late and the set of tenants. Answers how many went, how many were looked at, and whether any is left.
local options = read_options()
local index = index_functions()
local until_now = string.format('%.0f', unix_micros(server_time()))
local place = { entries = KEYS[1], rows = KEYS[2], expiry = KEYS[3] }
if KEYS[4] then index.bring_in({ entries = KEYS[1], rows = KEYS[2], expiry = KEYS[3], late = KEYS[4] }) end
local gone = 0
local ids = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', until_now, 'LIMIT', options.skip, options.limit)
for _, id in ipairs(ids) do
  local row = redis.call('HGET', KEYS[2], id)
  if row and (not options.facet or index.row_has_facet(row, options.facet)) then
    index.remove_row(place, id, row)
    gone = gone + 1
  end
end
local left = redis.call('EXISTS', KEYS[2])
if left == 0 and KEYS[5] then redis.call('SREM', KEYS[5], options.tenant) end
return { gone, #ids, left }
