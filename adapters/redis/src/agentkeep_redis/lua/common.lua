-- Shared by all scripts of one session. KEYS[1]: its hash. KEYS[2]: its log, a list of "seq:id" in order of seq.
-- KEYS[3]: its messages, a hash by id. On a single server the tenant's index follows, see index.lua.
-- A time is text of 18 digits: seconds since the year 1 and microseconds. It is exact, and sorts as text.

-- ARGV[1]: options, packed, or empty.

local EPOCH = 62135596800
local CHUNK = 1000 -- arguments of one redis.call: Lua's stack holds about 8,000

local function read_options()
  if ARGV[1] == '' then return {} end
  return cmsgpack.unpack(ARGV[1])
end

local function time_of(seconds, micros)
  if micros >= 1000000 then
    seconds, micros = seconds + 1, micros - 1000000
  end
  return string.format('%012.0f%06.0f', seconds, micros)
end

local function server_time()
  local now = redis.call('TIME')
  return time_of(tonumber(now[1]) + EPOCH, tonumber(now[2]))
end

local function unix_micros(time)
  return (tonumber(string.sub(time, 1, 12)) - EPOCH) * 1000000 + tonumber(string.sub(time, 13))
end

-- `span`: seconds and microseconds.
local function plus(time, span)
  return time_of(tonumber(string.sub(time, 1, 12)) + span[1], tonumber(string.sub(time, 13)) + span[2])
end

local function later(a, b)
  if a > b then return a end
  return b
end

local function is_expired(expires_at, now)
  return expires_at and expires_at <= now
end

-- A session that is absent, expired or another user's is not there for the caller (SES-4, TTL-1, ISO-1).
local function is_living(created_at, expires_at, owner, now, user)
  return created_at and not is_expired(expires_at, now) and (user == nil or user == owner)
end

local function require_living(now, user)
  local found = redis.call('HMGET', KEYS[1], 'created_at', 'expires_at', 'user_id')
  return is_living(found[1], found[2], found[3], now, user)
end

-- One instant for all keys of the session. The server's unit is a millisecond: rounded up, so that no key goes before
-- the exact instant, which is in the hash and which every read looks at (TTL-1).
local function expire_session(expires_at)
  if not expires_at then return end
  local millis = math.max(1, math.ceil(unix_micros(expires_at) / 1000))
  for number = 1, 3 do
    redis.call('PEXPIREAT', KEYS[number], string.format('%.0f', millis))
  end
end

local function whole_number(text, what)
  local number = tonumber(text)
  if not number then error(redis.error_reply('CORRUPT ' .. what)) end
  return number
end

-- One command with however many arguments behind its key.
local function in_chunks(command, key, items)
  for first = 1, #items, CHUNK do
    redis.call(command, key, unpack(items, first, math.min(first + CHUNK - 1, #items)))
  end
end

local function append_all(target, items)
  for _, item in ipairs(items) do target[#target + 1] = item end
end
