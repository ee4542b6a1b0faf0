-- A living session with its log up to a seq, at one instant: what a fork copies (SES-5).
local options = read_options()
local log = log_functions()
if not require_alive(server_time(), options.user) then return { 'absent' } end
local last = log.entries_up_to(options.last) - 1
local ids = {}
if last >= 0 then ids = log.ids_between(0, last) end
return { 'found', redis.call('HGETALL', KEYS[1]), log.ids_and_messages(ids) }
