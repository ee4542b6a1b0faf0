-- The fields of several living sessions of one server. KEYS: their hashes. Answers false for one that is not there.
local now = server_time()
local answer = {}
for number, key in ipairs(KEYS) do
  answer[number] = is_living(key, redis.call('HGET', key, 'row'), nil, now, nil) and redis.call('HGETALL', key)
end
return answer
