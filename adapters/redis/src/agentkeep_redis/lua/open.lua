-- The schema's version, written if there is none and ARGV[2] allows it (LIFE-1). KEYS[1]: its key.
local found = redis.call('GET', KEYS[1])
if found then return found end
if ARGV[2] ~= '1' then return false end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
