-- What the server says of itself: its memory, and which process it is. Nothing where its
-- user may not ask.
local facts = ''
for _, section in ipairs({'memory', 'server'}) do
  local info = redis.pcall('INFO', section)
  if type(info) == 'string' then
    facts = facts .. info
  end
end
return facts
