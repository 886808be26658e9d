-- Sets what all replicas together have used of a rate.
--
-- KEYS 1: as that of rate.lua
-- ARGV: used, amount, period in microseconds
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local busy = math.ceil(tonumber(ARGV[1]) * tonumber(ARGV[3]) / tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 't', string.format('%.0f', now + busy), 'm', ARGV[2])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(busy / 1000) + 60000))
return {1}
