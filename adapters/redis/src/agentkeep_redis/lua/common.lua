-- Shared by all scripts. ARGV[1]: options, packed, or empty.
-- The scripts about one session have in KEYS[1] its hash, in KEYS[2] its log, a list of "seq:id" in order of seq, in KEYS[3]
-- its messages, a hash by id: seq, created_at, the session's version at the commit that stored the message, content key,
-- role and payload, with a line break between each two. On a single server the tenant's index follows, see commit.lua.
-- A time is text of 18 digits: seconds since the year 1 and microseconds. It is exact, and sorts as text.

local EPOCH = 62135596800
local CHUNK = 1000 -- arguments of one redis.call: Lua's stack holds about 8,000

local function read_options()
  if ARGV[1] == '' then return {} end
  return cmsgpack.unpack(ARGV[1])
end

local function corrupt(what)
  error(redis.error_reply('CORRUPT ' .. what))
end

local function time_of(seconds, micros)
  if micros >= 1000000 then
    seconds, micros = seconds + 1, micros - 1000000
  end
  return string.format('%012d%06d', seconds, micros)
end

local function server_time()
  local now = redis.call('TIME')
  return string.format('%012d', now[1] + EPOCH) .. string.sub('00000' .. now[2], -6)
end

local function unix_micros(time)
  return (tonumber(string.sub(time, 1, 12)) - EPOCH) * 1000000 + tonumber(string.sub(time, 13))
end

-- `span`: a duration as text of 18 digits, as a time.
local function plus(time, span)
  return time_of(
    tonumber(string.sub(time, 1, 12)) + tonumber(string.sub(span, 1, 12)),
    tonumber(string.sub(time, 13)) + tonumber(string.sub(span, 13)))
end

local function later(a, b)
  if a > b then return a end
  return b
end

-- Two fields of the session's hash change with each write. `counts`: last_seq, message_count and last_message_at (empty if
-- there is none), a space between. `row`: what its tenant's index is made from, revision (16) .. created_at .. updated_at
-- .. expires_at .. facets; `expires_at` is 18 '-' if there is none. The revision is one more after each change of the
-- session or its log. The facets: five of 16, then one for each metadata label.
-- `counters` is a packed map. `ends_at` and `idle_ttl` are absent if the session has none.
local FACETS_AT = 71
local LEAST_ROW = 150
local NEVER = string.rep('-', 18)

local function row_of(revision, created_at, updated_at, expires_at, facets)
  return string.format('%016d', revision) .. created_at .. updated_at .. (expires_at or NEVER) .. facets
end

local function row_created(row) return string.sub(row, 17, 34) end
local function row_updated(row) return string.sub(row, 35, 52) end
local function row_expires(row) return string.sub(row, 53, 70) end
local function row_facets(row) return string.sub(row, FACETS_AT) end

local function row_revision(row)
  return tonumber(string.sub(row, 1, 16)) or corrupt('revision')
end

local function row_is_expired(row, now)
  local expires_at = row_expires(row)
  return expires_at ~= NEVER and expires_at <= now
end

-- A session that is absent, expired or another user's does not exist for the caller (SES-4, TTL-1, ISO-1).
local function is_alive(key, row, owner, now, user)
  if not row then
    if redis.call('EXISTS', key) == 1 then corrupt('row') end
    return false
  end
  if #row < LEAST_ROW then corrupt('row') end
  return not row_is_expired(row, now) and (user == nil or user == owner)
end

local function require_alive(now, user)
  local found = redis.call('HMGET', KEYS[1], 'row', 'user_id')
  return is_alive(KEYS[1], found[1], found[2], now, user)
end

-- One instant for all keys of the session. The server's unit is a millisecond: rounded up, so that no key goes before
-- the exact instant, which is in the hash and which every read looks at (TTL-1).
local function expire_session(expires_at)
  local millis = math.max(1, math.ceil(unix_micros(expires_at) / 1000))
  for number = 1, 3 do
    redis.call('PEXPIREAT', KEYS[number], string.format('%d', millis))
  end
end

-- For a session that expires no longer.
local function keep_session()
  for number = 1, 3 do redis.call('PERSIST', KEYS[number]) end
end

-- Greater than all revisions of an earlier session of this id.
local function first_revision(now)
  return unix_micros(now)
end

-- One command with however many arguments behind its key.
local function in_chunks(command, key, items)
  for first = 1, #items, CHUNK do
    redis.call(command, key, unpack(items, first, math.min(first + CHUNK - 1, #items)))
  end
end

-- The earlier of a fixed end and an idle end; NEVER if there is neither (TTL-3).
local function expiry(ends_at, idle_ttl, moment)
  local idle_end = idle_ttl and plus(moment, idle_ttl)
  if not ends_at then return idle_end or NEVER end
  if idle_end and idle_end < ends_at then return idle_end end
  return ends_at
end

local function append_all(target, items)
  for _, item in ipairs(items) do target[#target + 1] = item end
end
