-- Where an object is, which is then kept for its whole lifetime again.
-- KEYS: the object
-- Returns provider, credential, owner or "", lifetime in ms; nothing of an unknown one.
local found = redis.call('HMGET', KEYS[1], 'p', 'c', 'o', 't')
if not (found[1] and found[2] and found[3] and found[4]) then
  return {}
end
redis.call('PEXPIRE', KEYS[1], found[4])
return found
