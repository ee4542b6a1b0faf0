-- The index of one tenant's sessions. `place` holds its keys:
-- entries: a sorted set in which all scores are 0, so that it is in order of its members' bytes:
--          facet (16) .. 'u' (by updated_at) or 'c' (by created_at) .. time (18) .. session id;
-- rows:    a hash by session id of rows (see common.lua), which the entries were made from and filters look at; a row of a
--          revision alone is a tombstone;
-- expiry:  a sorted set of session ids by the microsecond of expiry;
-- late:    single server: a hash of rows by session id that the other three still lack. A write puts its row here, and
--          whoever reads the index brings them in first: an append costs one row, however many facets there are.
-- One function defines the others: a script pays for each function that it defines, and an append needs none of these.

local function index_functions()
  local NO_FACET = string.rep('-', 16) -- in the place of one that the session has not

  local function row_has_facet(row, facet)
    local at = string.find(row, facet, FACETS_AT, true)
    while at and (at - FACETS_AT) % 16 ~= 0 do
      at = string.find(row, facet, at + 1, true)
    end
    return at ~= nil
  end

  -- Five facets have a place each, by number; the labels' follow them.
  local function changed_facets(facets, changes, labels)
    for number, facet in pairs(changes) do
      facets = string.sub(facets, 1, 16 * number - 16) .. facet .. string.sub(facets, 16 * number + 1)
    end
    if labels then return string.sub(facets, 1, 80) .. labels end
    return facets
  end

  local function entries_of(id, row)
    local updated, created = 'u' .. row_updated(row) .. id, 'c' .. row_created(row) .. id
    local entries = {}
    for at = FACETS_AT, #row, 16 do
      local facet = string.sub(row, at, at + 15)
      if facet ~= NO_FACET then append_all(entries, { facet .. updated, facet .. created }) end
    end
    return entries
  end

  local function add_entries(place, entries)
    local scored = {}
    for number = 1, #entries do
      scored[2 * number - 1] = '0'
      scored[2 * number] = entries[number]
    end
    in_chunks('ZADD', place.entries, scored)
  end

  local function remove_row(place, id, row)
    in_chunks('ZREM', place.entries, entries_of(id, row))
    redis.call('HDEL', place.rows, id)
    redis.call('ZREM', place.expiry, id)
  end

  -- An append changes the time of the last update alone: one kind of entry moves, the other stays.
  local function move_entries(place, id, old, row)
    local from, to = 'u' .. row_updated(old) .. id, 'u' .. row_updated(row) .. id
    if from == to then return end
    local gone, come = {}, {}
    for at = FACETS_AT, #row, 16 do
      local facet = string.sub(row, at, at + 15)
      if facet ~= NO_FACET then
        gone[#gone + 1] = facet .. from
        come[#come + 1] = '0'
        come[#come + 1] = facet .. to
      end
    end
    in_chunks('ZREM', place.entries, gone)
    in_chunks('ZADD', place.entries, come)
  end

  local function put_row(place, id, row)
    local old = redis.call('HGET', place.rows, id)
    if old and string.sub(old, FACETS_AT) == string.sub(row, FACETS_AT) and row_created(old) == row_created(row) then
      move_entries(place, id, old, row)
    else
      if old then in_chunks('ZREM', place.entries, entries_of(id, old)) end
      add_entries(place, entries_of(id, row))
    end
    redis.call('HSET', place.rows, id, row)
    if row_expires(row) == NEVER then
      if old and row_expires(old) ~= NEVER then redis.call('ZREM', place.expiry, id) end
    elseif not old or row_expires(old) ~= row_expires(row) then
      redis.call('ZADD', place.expiry, string.format('%.0f', unix_micros(row_expires(row))), id)
    end
  end

  -- Bring in what is late. A server that refuses writes for now (a full disk) leaves it; the ids are the answer, each
  -- with an empty text, and the caller looks at those sessions themselves.
  local function bring_in(place)
    local late = redis.call('HGETALL', place.late)
    if #late == 0 then return late end
    local removed = redis.pcall('DEL', place.late) -- first: behind a first write no want of memory stops the script
    if type(removed) == 'table' and removed.err then
      for at = 2, #late, 2 do late[at] = '' end
      return late
    end
    for at = 1, #late, 2 do put_row(place, late[at], late[at + 1]) end
    return {}
  end

  return {
    changed_facets = changed_facets,
    put_row = put_row,
    remove_row = remove_row,
    row_has_facet = row_has_facet,
    bring_in = bring_in,
  }
end

local MOST_LATE = 64

local function put_row_late(place, id, row)
  local is_new = redis.call('HSET', place.late, id, row) == 1
  if is_new and redis.call('HLEN', place.late) > MOST_LATE then index_functions().bring_in(place) end
end
