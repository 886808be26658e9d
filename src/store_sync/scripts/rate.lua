-- Lends units of a rate to one replica.
--
-- KEYS 1: the rate, a hash. t: when it is full again, in microseconds since 1970 (the
--         theoretical arrival time of GCRA); m: the amount by which t was set. Of each
--         replica: s the number of its last call, n what that was granted, e when it was.
-- ARGV: replica, sequence, amount, period in microseconds, burst, take (a debt, or below
--       0 what is given back), want, needed, least, replicas, milliseconds to keep
--
-- A call that is repeated has the same outcome.
-- A replica that is cut off for less repeats its last call, which must not count twice.
local FORGET = 3600000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local me, sequence = ARGV[1], tonumber(ARGV[2])
local amount, period, burst = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local take, want = tonumber(ARGV[6]), tonumber(ARGV[7])
local needed, least = tonumber(ARGV[8]), tonumber(ARGV[9])

local f, full, before = {s = {}, n = {}, e = {}}, 0, amount
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local name, value = fields[i], tonumber(fields[i + 1])
  local of = f[string.sub(name, 1, 1)]
  if name == 't' then
    full = value
  elseif name == 'm' then
    before = value
  elseif of then
    of[string.sub(name, 3)] = value
  end
end
full = math.max(full, now)
local last = f.s[me] or 0
if sequence < last then return {0} end
if sequence == last then return {1, f.n[me] or 0, full - now} end

-- Another amount: what was used stays, and refills by the new one.
if before ~= amount then full = now + (full - now) * before / amount end
local each = period / amount
full = math.max(now, full + take * each)
local free = math.floor(burst - (full - now) / each + 0.000001)
local share = math.floor(free / (4 * math.max(tonumber(ARGV[10]), 1)))
local n = math.min(want, math.max(math.min(needed, free), share))
if n < least or n > free or n < 0 then n = 0 end
full = math.ceil(full + n * each)

for who, at in pairs(f.e) do
  if at < now - FORGET and who ~= me then
    redis.call('HDEL', KEYS[1], 's:' .. who, 'n:' .. who, 'e:' .. who)
  end
end
redis.call('HSET', KEYS[1], 't', string.format('%.0f', full), 'm', ARGV[3], 's:' .. me, ARGV[2],
  'n:' .. me, string.format('%.0f', n), 'e:' .. me, string.format('%.0f', now))
local keep = math.max(tonumber(ARGV[11]), math.ceil((full - now) / 1000) + 60000)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keep))
return {1, n, full - now}
