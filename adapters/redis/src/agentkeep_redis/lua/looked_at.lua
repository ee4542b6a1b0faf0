-- Which sessions the index is behind on, with their marks: the caller looks at those themselves (ORD-5). KEYS[4]: on a
-- cluster the marks (see settle.lua); on a single server what is late, which is brought in here.
local function marked_sessions(sharded)
  if sharded then return redis.call('HGETALL', KEYS[4]) end
  return index_functions().bring_in({ entries = KEYS[1], rows = KEYS[2], expiry = KEYS[3], late = KEYS[4] })
end
