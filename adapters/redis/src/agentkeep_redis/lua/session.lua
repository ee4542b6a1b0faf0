-- The fields of a living session. ARGV[1]: options.
local options = read_options()
if not require_alive(server_time(), options.user) then return { 'absent' } end
return { 'found', redis.call('HGETALL', KEYS[1]) }
