-- A range of a living session's log (READ-1, READ-3). Returns when the session was created and the
-- time, then a list of ids and a list of records.
local options = read_options()
local log = log_functions()
local now = server_time()
if not require_alive(now, options.user) then return { 'absent' } end
local first = 0
local last = redis.call('LLEN', KEYS[2]) - 1
if options.after > 0 then first = log.entries_up_to(options.after) end
if options.before then last = log.entries_up_to(options.before - 1) - 1 end
if options.newest_first then
  first = math.max(first, last - options.limit + 1)
else
  last = math.min(last, first + options.limit - 1)
end
local ids = {}
if first <= last then ids = log.ids_between(first, last) end
return { 'found', redis.call('HGET', KEYS[1], 'created'), now, log.ids_and_messages(ids) }
