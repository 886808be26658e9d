-- Records where an object is. It keeps its first owner while it is at the same provider.
-- KEYS: the object
-- ARGV: provider, credential, owner or "", lifetime in ms
-- Returns the owner.
local known = redis.call('HMGET', KEYS[1], 'p', 'o')
local owner = ARGV[3]
if known[1] == ARGV[1] and known[2] then
  owner = known[2]
end
redis.call('HSET', KEYS[1], 'p', ARGV[1], 'c', ARGV[2], 'o', owner, 't', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return owner
