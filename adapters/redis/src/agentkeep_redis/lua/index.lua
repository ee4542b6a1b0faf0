-- The index of one tenant's sessions. `index` holds its keys:
-- entries: a sorted set in which all scores are 0, so that it is in the order of its members' bytes. A session has three
--          entries for each of its facets: facet (16) .. order .. time (18) .. session id, with the orders 'u' (by
--          updated_at), 'c' (by created_at) and, if it expires, 'x' (by expires_at);
-- rows:    a hash by session id of rows (see common.lua), from which the entries were made and which filters look at. A
--          row of a revision alone is a tombstone;
-- expiry:  a sorted set of session ids by the microsecond of expiry;
-- pending: on a single server only: a hash by session id of rows that the other three do not have yet. A write puts its
--          row here, and whoever reads the index brings them in first. So an append costs one row, however many facets
--          its session has.
-- One function defines the others: a script pays for each function that it defines, and an append needs none of these.

local function index_functions()
  local NO_FACET = string.rep('-', 16) -- stands for a facet that the session does not have

  local function row_has_facet(row, facet)
    local at = string.find(row, facet, FACETS_AT, true)
    while at and (at - FACETS_AT) % 16 ~= 0 do
      at = string.find(row, facet, at + 1, true)
    end
    return at ~= nil
  end

  -- Five facets have a fixed position each, by number; the labels' facets follow them.
  local function changed_facets(facets, changes, labels)
    for number, facet in pairs(changes) do
      facets = string.sub(facets, 1, 16 * number - 16) .. facet .. string.sub(facets, 16 * number + 1)
    end
    if labels then return string.sub(facets, 1, 80) .. labels end
    return facets
  end

  -- What follows a facet in each of a session's entries.
  local function tails_of(id, row)
    local tails = { 'u' .. row_updated(row) .. id, 'c' .. row_created(row) .. id }
    if row_expires(row) ~= NEVER then tails[3] = 'x' .. row_expires(row) .. id end
    return tails
  end

  local function each_facet(row, act)
    for at = FACETS_AT, #row, 16 do
      local facet = string.sub(row, at, at + 15)
      if facet ~= NO_FACET then act(facet) end
    end
  end

  local function entries_of(row, tails)
    local entries = {}
    each_facet(row, function(facet)
      for _, tail in ipairs(tails) do entries[#entries + 1] = facet .. tail end
    end)
    return entries
  end

  local function add_entries(index, entries)
    local scored = {}
    for number, entry in ipairs(entries) do
      scored[2 * number - 1] = '0'
      scored[2 * number] = entry
    end
    in_chunks('ZADD', index.entries, scored)
  end

  local function remove_entries(index, id, row)
    in_chunks('ZREM', index.entries, entries_of(row, tails_of(id, row)))
  end

  local function remove_row(index, id, row)
    remove_entries(index, id, row)
    redis.call('HDEL', index.rows, id)
    redis.call('ZREM', index.expiry, id)
  end

  -- The tails of one that the other does not have.
  local function without(tails, others)
    local is_other, left = {}, {}
    for _, tail in ipairs(others) do is_other[tail] = true end
    for _, tail in ipairs(tails) do
      if not is_other[tail] then left[#left + 1] = tail end
    end
    return left
  end

  local function put_row(index, id, row)
    local old = redis.call('HGET', index.rows, id)
    local is_tombstone = old and #old < FACETS_AT
    if old and not is_tombstone and row_facets(old) == row_facets(row) and row_created(old) == row_created(row) then
      -- An append changes only times: those entries move, the others stay.
      local before, after = tails_of(id, old), tails_of(id, row)
      in_chunks('ZREM', index.entries, entries_of(old, without(before, after)))
      add_entries(index, entries_of(row, without(after, before)))
    else
      if old and not is_tombstone then remove_entries(index, id, old) end
      add_entries(index, entries_of(row, tails_of(id, row)))
    end
    redis.call('HSET', index.rows, id, row)
    if row_expires(row) == NEVER then
      if old and row_expires(old) ~= NEVER then redis.call('ZREM', index.expiry, id) end
    elseif not old or row_expires(old) ~= row_expires(row) then
      redis.call('ZADD', index.expiry, string.format('%d', unix_micros(row_expires(row))), id)
    end
  end

  -- Bring in the pending rows. A server that refuses writes for now (a full disk) leaves them. Returns their ids then,
  -- each with an empty text, and the caller reads those sessions themselves.
  local function bring_in(index)
    local pending = redis.call('HGETALL', index.pending)
    if #pending == 0 then return pending end
    local removed = redis.pcall('DEL', index.pending) -- first: after a first write no lack of memory stops the script
    if type(removed) == 'table' and removed.err then
      for at = 2, #pending, 2 do pending[at] = '' end
      return pending
    end
    for at = 1, #pending, 2 do put_row(index, pending[at], pending[at + 1]) end
    return {}
  end

  -- The sessions on which the index may be out of date, each with a text: the caller reads those themselves (ORD-5).
  local function uncertain_sessions(index)
    if index.intents then return redis.call('HGETALL', index.intents) end
    return bring_in(index)
  end

  -- Nobody has use for the entries of expired sessions. So those that a reading passed go, and no later one passes them
  -- (READ-5); with an entry by created_at the one by expires_at goes, because a count subtracts the two. The rows stay for
  -- `sweep`. If the server refuses writes for now, the entries stay too.
  local function forget_expired(index, facet, order, rows)
    local entries = {}
    for id, row in pairs(rows) do
      if order == 'u' then
        entries[#entries + 1] = facet .. 'u' .. row_updated(row) .. id
      else
        append_all(entries, { facet .. 'c' .. row_created(row) .. id, facet .. 'x' .. row_expires(row) .. id })
      end
    end
    for first = 1, #entries, CHUNK do
      local last = math.min(first + CHUNK - 1, #entries)
      local removed = redis.pcall('ZREM', index.entries, unpack(entries, first, last))
      if type(removed) == 'table' and removed.err then return end
    end
  end

  return {
    changed_facets = changed_facets,
    put_row = put_row,
    remove_row = remove_row,
    row_has_facet = row_has_facet,
    bring_in = bring_in,
    uncertain_sessions = uncertain_sessions,
    forget_expired = forget_expired,
  }
end

-- The keys of the scripts that read the index: KEYS[1] to KEYS[3], and in KEYS[4] what is pending, on a cluster the
-- intents (see update_index.lua).
local function index_to_read(is_cluster)
  local index = { entries = KEYS[1], rows = KEYS[2], expiry = KEYS[3] }
  index[is_cluster and 'intents' or 'pending'] = KEYS[4]
  return index
end

local MOST_PENDING = 64
local LONG_ROW = 1000

-- A session of many labels has to pay for its entries itself, so that bringing in what is pending stays short (COST-3).
local function put_row_later(index, id, row)
  local is_new = redis.call('HSET', index.pending, id, row) == 1
  if #row > LONG_ROW or (is_new and redis.call('HLEN', index.pending) > MOST_PENDING) then
    index_functions().bring_in(index)
  end
end
