-- Remove a living session with all of its keys and its entries in the index (SES-6); with `revision` or `version`, only if
-- it still has that one.
local options = read_options()
local found = redis.call('HMGET', KEYS[1], 'row', 'user_id', 'version')
if not is_alive(KEYS[1], found[1], found[2], server_time(), options.user) then return { 'absent' } end
local revision = row_revision(found[1])
if options.revision and options.revision ~= revision then return { 'changed' } end
if options.version then
  local version = tonumber(found[3]) or corrupt('version')
  if options.version ~= version then return { 'version', version } end
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
publish_change()
return { 'deleted', unindex_session(revision + 1, options.tenant) }
