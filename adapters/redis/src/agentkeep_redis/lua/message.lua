-- One message of a living session, by its id.
local options = read_options()
if not require_alive(server_time(), options.user) then return { 'absent' } end
return { 'found', redis.call('HGET', KEYS[3], options.message) }
