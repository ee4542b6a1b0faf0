-- The fields of several living sessions of one server. KEYS: their hashes. Returns false for one that does not exist.
local now = server_time()
local answer = {}
for number, key in ipairs(KEYS) do
  answer[number] = is_alive(key, redis.call('HGET', key, 'row'), nil, now, nil) and redis.call('HGETALL', key)
end
return answer
