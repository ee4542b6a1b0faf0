-- Cluster: the index is in another slot than the session, so a write leaves a mark here before it touches the session,
-- and a listing reads the session itself wherever there is a mark. This script brings finished writes into the index,
-- takes their marks away, and may leave the mark of the next write. KEYS: entries, rows, expiry, marks.
-- marks: a hash by session id of one or more of token (8) .. kind ('c' create, 'w' any other) .. seconds (12).
-- ARGV[1]: whether to leave a mark; then id, token, kind of it; then id, token, kind and row of each finished write.
-- A row that is empty takes the mark away alone; one of 16 bytes says that the session is gone.
-- Answers whether the tenant had nothing here before.
local MARK = 21
local index = index_functions()
local place = { entries = KEYS[1], rows = KEYS[2], expiry = KEYS[3], marks = KEYS[4] }
local was_empty = redis.call('EXISTS', place.rows, place.marks) == 0

local function marks_of(id)
  return redis.call('HGET', place.marks, id) or ''
end

local function set_marks(id, marks)
  if marks == '' then
    redis.call('HDEL', place.marks, id)
  else
    redis.call('HSET', place.marks, id, marks)
  end
end

-- The marks without the one of `token`, and whether it was there.
local function without(marks, token)
  for at = 1, #marks, MARK do
    if string.sub(marks, at, at + 7) == token then
      return string.sub(marks, 1, at - 1) .. string.sub(marks, at + MARK), true
    end
  end
  return marks, false
end

local function only_creating(marks)
  local kept = ''
  for at = 1, #marks, MARK do
    if string.sub(marks, at + 8, at + 8) == 'c' then kept = kept .. string.sub(marks, at, at + MARK - 1) end
  end
  return kept
end

-- A tombstone stands for a session that is gone as long as another write's create is under way: that one's row may be
-- older than the end of the session.
local function settle_gone(id, row, marks, old)
  marks = only_creating(marks)
  local newest = not old or string.sub(old, 1, 16) < row
  if newest and old then index.remove_row(place, id, old) end
  if newest and marks ~= '' then redis.call('HSET', place.rows, id, row) end
  return marks
end

local function settle(id, token, kind, row)
  local marks, marked = without(marks_of(id), token)
  local old = redis.call('HGET', place.rows, id)
  if #row == 16 then
    marks = settle_gone(id, row, marks, old)
  elseif row ~= '' and (old or marked or kind == 'c') then
    if not old or string.sub(old, 1, 16) < string.sub(row, 1, 16) then index.put_row(place, id, row) end
  end
  set_marks(id, marks)
  if marks == '' and redis.call('HSTRLEN', place.rows, id) == 16 then redis.call('HDEL', place.rows, id) end
end

for at = 5, #ARGV, 4 do
  settle(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end
if ARGV[1] == '1' then
  local seconds = string.sub(server_time(), 1, 12)
  local others = without(marks_of(ARGV[2]), ARGV[3]) -- not twice, if this call is a repeated one
  set_marks(ARGV[2], others .. ARGV[3] .. ARGV[4] .. seconds)
end
return was_empty and 1 or 0
