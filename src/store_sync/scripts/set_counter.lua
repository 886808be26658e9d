-- Sets what all replicas together have used of a counter, but for what requests that run
-- have reserved.
--
-- KEYS 1: as that of counter.lua
-- ARGV: used, milliseconds to keep (0: for ever)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f = {u = {}, r = {}, e = {}}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local of = f[string.sub(fields[i], 1, 1)]
  if of then of[string.sub(fields[i], 3)] = tonumber(fields[i + 1]) end
end
local settled = 0
for who, used in pairs(f.u) do
  if (f.e[who] or 0) >= now then used = used - (f.r[who] or 0) end
  settled = settled + used
end
redis.call('HSET', KEYS[1], 'a', string.format('%.0f', tonumber(ARGV[1]) - settled))
redis.call('HDEL', KEYS[1], 'f', 'd')
if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {1}
