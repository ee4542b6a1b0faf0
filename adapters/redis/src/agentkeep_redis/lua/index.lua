-- The index of one tenant's sessions. `place` holds its keys:
-- entries: a sorted set in which all scores are 0, so that it is in order of its members' bytes:
--          facet (16) .. 'u' (by updated_at) or 'c' (by created_at) .. time (18) .. session id;
-- rows:    a hash by session id: revision (16) .. created_at .. updated_at .. expires_at .. facets; what the entries and
--          filters are made from. `expires_at` is 18 '-' where there is none; a row of a revision alone is a tombstone;
-- expiry:  a sorted set of session ids by the microsecond of expiry.

local FACETS_AT = 71
local NEVER = string.rep('-', 18)

local function row_of(revision, created_at, updated_at, expires_at, facets)
  return string.format('%016.0f', revision) .. created_at .. updated_at .. (expires_at or NEVER) .. facets
end

local function row_created(row) return string.sub(row, 17, 34) end
local function row_updated(row) return string.sub(row, 35, 52) end
local function row_expires(row) return string.sub(row, 53, 70) end

local function row_is_expired(row, now)
  local expires_at = row_expires(row)
  return expires_at ~= NEVER and expires_at <= now
end

local function row_has_facet(row, facet)
  local at = string.find(row, facet, FACETS_AT, true)
  while at and (at - FACETS_AT) % 16 ~= 0 do
    at = string.find(row, facet, at + 1, true)
  end
  return at ~= nil
end

local function entries_of(id, row, kinds)
  local updated = kinds.u and 'u' .. row_updated(row) .. id
  local created = kinds.c and 'c' .. row_created(row) .. id
  local entries = {}
  for at = FACETS_AT, #row, 16 do
    local facet = string.sub(row, at, at + 15)
    if updated then entries[#entries + 1] = facet .. updated end
    if created then entries[#entries + 1] = facet .. created end
  end
  return entries
end

local function remove_entries(place, entries)
  in_chunks(entries, function(...)
    redis.call('ZREM', place.entries, ...)
  end)
end

local function add_entries(place, entries)
  local pairs_of = {}
  for number, entry in ipairs(entries) do
    pairs_of[2 * number - 1] = '0'
    pairs_of[2 * number] = entry
  end
  in_chunks(pairs_of, function(...)
    redis.call('ZADD', place.entries, ...)
  end)
end

local function remove_row(place, id, row)
  remove_entries(place, entries_of(id, row, { u = true, c = true }))
  redis.call('HDEL', place.rows, id)
  redis.call('ZREM', place.expiry, id)
end

-- An append changes the time of the last update alone: half of the entries stay.
local function put_row(place, id, row)
  local old = redis.call('HGET', place.rows, id)
  local kinds = { u = true, c = true }
  if old and string.sub(old, FACETS_AT) == string.sub(row, FACETS_AT) and row_created(old) == row_created(row) then
    kinds = { u = row_updated(old) ~= row_updated(row) }
  end
  if old then remove_entries(place, entries_of(id, old, kinds)) end
  add_entries(place, entries_of(id, row, kinds))
  redis.call('HSET', place.rows, id, row)
  if row_expires(row) == NEVER then
    if old and row_expires(old) ~= NEVER then redis.call('ZREM', place.expiry, id) end
  else
    redis.call('ZADD', place.expiry, string.format('%.0f', unix_micros(row_expires(row))), id)
  end
end
