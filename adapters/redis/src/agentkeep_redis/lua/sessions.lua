-- The fields of several living sessions of one server. KEYS: their hashes. Answers false for one that is not there.
local now = server_time()
local answer = {}
for number, key in ipairs(KEYS) do
  local there = redis.call('HMGET', key, 'created_at', 'expires_at')
  answer[number] = there[1] and not is_expired(there[2], now) and redis.call('HGETALL', key)
end
return answer
