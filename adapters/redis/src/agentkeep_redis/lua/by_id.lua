-- Messages of a living session by their ids, in ARGV[2…]; false for one that is not stored.
local options = read_options()
if not require_alive(server_time(), options.user) then return { 'absent' } end
if #ARGV == 1 then return { 'found' } end
return { 'found', unpack(redis.call('HMGET', KEYS[3], unpack(ARGV, 2))) }
