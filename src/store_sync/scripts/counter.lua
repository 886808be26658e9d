-- What one replica has taken of a counter, and how much more it may take.
--
-- KEYS 1: the counter, a hash. Of each replica: u taken, r of it reserved by requests
--         that run, g granted, e the time until which it counts as alive, s the number of
--         its last call. And a: what was set by hand, and what was folded. After a loss of
--         data, w: until when the others are waited for; f: what all replicas had settled,
--         as far as one of them knew; and then d: of this, by replicas that are silent.
-- KEYS 2: what was folded, by replica.
-- ARGV: replica, sequence, limit, taken, reserved, granted, want, needed, least, replicas,
--       milliseconds to keep (0: for ever), 1 if what was taken outlives its replica, what
--       all had settled as it knows, which counts if the replica is not known
--
-- All numbers of a replica are absolute, so a call that is repeated changes nothing. Lua
-- counts in doubles, exact to 2^53, and would write 1e+15: hence %.0f.
local ALIVE = 10000
-- A replica that is gone so long is added up, so that the hash stays short.
local FOLD = 3600000
-- After a loss of data, every living replica has said what it has within this time: each
-- does so once a second.
local LEARN = 1500
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, outlives = ARGV[1], ARGV[12] == '1'
local limit, granted = tonumber(ARGV[3]), tonumber(ARGV[6])
local want, needed, least = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local f, adjusted = {u = {}, r = {}, g = {}, e = {}, s = {}}, 0
local has_adjustment, floor, learns_until, silent = false, 0, 0, 0
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local of = f[string.sub(fields[i], 1, 1)]
  if fields[i] == 'a' then
    adjusted, has_adjustment = tonumber(fields[i + 1]), true
  elseif fields[i] == 'f' then
    floor = tonumber(fields[i + 1])
  elseif fields[i] == 'w' then
    learns_until = tonumber(fields[i + 1])
  elseif fields[i] == 'd' then
    silent = tonumber(fields[i + 1])
  elseif of then
    of[string.sub(fields[i], 3)] = tonumber(fields[i + 1])
  end
end
if tonumber(ARGV[2]) <= (f.s[me] or 0) then return {0} end
local is_new = not f.s[me]
if outlives and is_new then
  -- It was away for so long that it was folded.
  local folded = redis.call('HGET', KEYS[2], me)
  if folded then
    adjusted = adjusted - tonumber(folded)
    redis.call('HDEL', KEYS[2], me)
    is_new = false
  end
end
f.u[me], f.r[me], f.g[me], f.e[me] = tonumber(ARGV[4]), tonumber(ARGV[5]), granted, now + ALIVE

local taken, others, settled, alive, gone = 0, 0, 0, 0, {}
for who, used in pairs(f.u) do
  local ends = f.e[who] or 0
  if ends >= now then
    alive = alive + 1
    taken = taken + math.max(used, f.g[who] or 0)
    settled = settled + used - (f.r[who] or 0)
  elseif not outlives then
    used = 0
    gone[#gone + 1] = who
  elseif ends < now - FOLD then
    redis.call('HSET', KEYS[2], who, string.format('%.0f', used))
    adjusted = adjusted + used
    used = 0
    gone[#gone + 1] = who
  else
    -- What was under way stays counted: the provider bills it.
    taken = taken + used
    settled = settled + used
  end
  if who ~= me then others = others + used end
end

local known = tonumber(ARGV[13] or '0')
if is_new and learns_until == 0 and (known > 0 or #fields == 0 and granted > 0) then
  learns_until = now + LEARN
  redis.call('HSET', KEYS[1], 'w', string.format('%.0f', learns_until))
end
if now < learns_until then
  if is_new and known > floor then
    floor = known
    redis.call('HSET', KEYS[1], 'f', string.format('%.0f', floor))
  end
  silent = math.max(0, floor - settled - adjusted)
elseif floor > 0 then
  silent = math.max(0, floor - settled - adjusted)
  redis.call('HDEL', KEYS[1], 'f')
  redis.call('HSET', KEYS[1], 'd', string.format('%.0f', silent))
elseif is_new and known > 0 and silent > 0 then
  silent = math.max(0, silent - f.u[me])
  redis.call('HSET', KEYS[1], 'd', string.format('%.0f', silent))
end
local free = limit - adjusted - taken - silent
local share = math.floor(free / (4 * math.max(alive, tonumber(ARGV[10]), 1)))
local n = math.min(want, math.max(math.min(needed, free), share))
if n < least or n > free or n < 0 then n = 0 end
-- Nothing is there until all have said what they have, so that no request asks again.
if now < learns_until then n, free = 0, 0 end

for _, who in ipairs(gone) do
  redis.call('HDEL', KEYS[1], 'u:' .. who, 'r:' .. who, 'g:' .. who, 'e:' .. who, 's:' .. who)
end
redis.call('HSET', KEYS[1], 'u:' .. me, ARGV[4], 'r:' .. me, ARGV[5], 's:' .. me, ARGV[2],
  'g:' .. me, string.format('%.0f', granted + n), 'e:' .. me, string.format('%.0f', now + ALIVE))
if adjusted ~= 0 or has_adjustment then
  redis.call('HSET', KEYS[1], 'a', string.format('%.0f', adjusted))
end
if ARGV[11] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[11])
  if #gone > 0 and outlives then redis.call('PEXPIRE', KEYS[2], ARGV[11]) end
end
adjusted = adjusted + silent
return {1, n, free - n, others + adjusted, settled + adjusted, is_new and 1 or 0}
