-- The fields of a living session, with its newest `tail` messages, or with all up to the seq `last`: ids and records in
-- turn, in order of seq. All of it at one instant (SES-5).
local options = read_options()
local now = server_time()
if not require_alive(now, options.user) then return { 'absent' } end
local ids = {}
if options.tail then
  ids = log_functions().ids_between(-options.tail, -1)
elseif options.last then
  local count = log_functions().entries_up_to(options.last)
  if count > 0 then ids = log_functions().ids_between(0, count - 1) end
end
return { 'found', redis.call('HGETALL', KEYS[1]), now, #ids > 0 and log_functions().ids_and_messages(ids) or {} }
