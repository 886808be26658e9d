-- Says that a replica is alive, or that it leaves. Returns how many are, and the time.
--
-- KEYS 1: the replicas, a sorted set by the time until which each counts as alive
-- ARGV: replica, 1 if it is alive
local ALIVE = 10000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '1' then
  -- First: a script that has written may go on when the memory is full, and this is to fail
  -- where those that count would.
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ALIVE), ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
redis.call('PEXPIRE', KEYS[1], 6 * ALIVE)
return {redis.call('ZCARD', KEYS[1]), tonumber(time[1]), tonumber(time[2])}
