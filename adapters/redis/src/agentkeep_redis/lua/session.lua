-- The fields of a living session, with its newest `tail` messages, or with all up to the seq `last`: a list of ids and a
-- list of records, in order of seq. All of it at one instant (SES-5).
local options = read_options()
local now = server_time()
if not require_alive(now, options.user) then return { 'absent' } end
local log = log_functions()
local ids = {}
if options.tail then
  ids = log.ids_between(-options.tail, -1)
elseif options.last then
  local count = log.entries_up_to(options.last)
  if count > 0 then ids = log.ids_between(0, count - 1) end
end
return { 'found', redis.call('HGETALL', KEYS[1]), now, log.ids_and_messages(ids) }
