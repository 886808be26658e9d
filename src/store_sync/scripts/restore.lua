-- What an earlier process has used of a counter, from its ledger. The larger number holds:
-- it may have told the store more than it had written, or less.
--
-- KEYS: as those of counter.lua
-- ARGV: replica, used, milliseconds to keep (0: for ever)
local used = tonumber(ARGV[2])
local folded = redis.call('HGET', KEYS[2], ARGV[1])
if folded then
  if used > tonumber(folded) then
    local adjusted = tonumber(redis.call('HGET', KEYS[1], 'a') or '0')
    adjusted = adjusted + used - tonumber(folded)
    redis.call('HSET', KEYS[1], 'a', string.format('%.0f', adjusted))
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  end
else
  local known = tonumber(redis.call('HGET', KEYS[1], 'u:' .. ARGV[1]) or '-1')
  if used > known then redis.call('HSET', KEYS[1], 'u:' .. ARGV[1], ARGV[2]) end
  -- After a loss of data, it was one of those that are silent.
  local silent = tonumber(redis.call('HGET', KEYS[1], 'd') or '0')
  if known < 0 and silent > 0 then
    redis.call('HSET', KEYS[1], 'd', string.format('%.0f', math.max(0, silent - used)))
  end
end
if ARGV[3] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return {1}
