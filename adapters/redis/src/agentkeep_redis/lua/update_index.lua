-- On a cluster the index is in another slot than the session. So a writer leaves an intent here before it changes the
-- session, and a listing reads the session itself while there is an intent. This script brings the outcomes of finished
-- writes into the index, takes their intents away, and may leave the intent of the next write. KEYS: entries, rows,
-- expiry, intents.
-- intents: a hash by session id of one or more of token (8) .. kind ('c' create, 'w' any other) .. seconds (12).
-- ARGV[1]: whether to leave an intent; then its id, token and kind; then id, token, kind and row of each outcome. An
-- empty row takes only the intent away; a row of 16 bytes says that the session is gone.
-- Returns whether the tenant had nothing here before.
local INTENT = 21
local functions = index_functions()
local index = { entries = KEYS[1], rows = KEYS[2], expiry = KEYS[3], intents = KEYS[4] }
local was_empty = redis.call('EXISTS', index.rows, index.intents) == 0

local function intents_of(id)
  return redis.call('HGET', index.intents, id) or ''
end

local function set_intents(id, intents)
  if intents == '' then
    redis.call('HDEL', index.intents, id)
  else
    redis.call('HSET', index.intents, id, intents)
  end
end

-- The intents without the one of `token`, and whether it was there.
local function without(intents, token)
  for at = 1, #intents, INTENT do
    if string.sub(intents, at, at + 7) == token then
      return string.sub(intents, 1, at - 1) .. string.sub(intents, at + INTENT), true
    end
  end
  return intents, false
end

local function only_creating(intents)
  local kept = ''
  for at = 1, #intents, INTENT do
    if string.sub(intents, at + 8, at + 8) == 'c' then kept = kept .. string.sub(intents, at, at + INTENT - 1) end
  end
  return kept
end

-- A tombstone stands for a session that is gone while another writer's create is under way: the row that it will send
-- may be older than the end of the session.
local function remove_session(id, row, intents, old)
  intents = only_creating(intents)
  local is_newest = not old or string.sub(old, 1, 16) < row
  if is_newest and old then functions.remove_row(index, id, old) end
  if is_newest and intents ~= '' then redis.call('HSET', index.rows, id, row) end
  return intents
end

local function bring_in(id, token, kind, row)
  local intents, was_announced = without(intents_of(id), token)
  local old = redis.call('HGET', index.rows, id)
  if #row == 16 then
    intents = remove_session(id, row, intents, old)
  elseif row ~= '' and (old or was_announced or kind == 'c') then
    if not old or string.sub(old, 1, 16) < string.sub(row, 1, 16) then functions.put_row(index, id, row) end
  end
  set_intents(id, intents)
  if intents == '' and redis.call('HSTRLEN', index.rows, id) == 16 then redis.call('HDEL', index.rows, id) end
end

for at = 5, #ARGV, 4 do
  bring_in(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
if ARGV[1] == '1' then
  local seconds = string.sub(server_time(), 1, 12)
  local others = without(intents_of(ARGV[2]), ARGV[3]) -- not a second time, if this call is a repeated one
  set_intents(ARGV[2], others .. ARGV[3] .. ARGV[4] .. seconds)
end
return was_empty and 1 or 0
