"""What has to happen in Redis in one piece: Lua scripts. Times are Redis' own, in milliseconds."""

from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError

_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"


@dataclass(frozen=True)
class Script:
    """A script by its text."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        # What Redis calls a script by.
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())

    async def run(self, redis: Any, keys: list[str], values: list[Any]) -> Any:
        """Run it on a client of redis-py."""
        try:
            return await redis.execute_command("EVALSHA", self.sha, len(keys), *keys, *values)
        except NoScriptError:
            return await redis.execute_command("EVAL", self.text, len(keys), *keys, *values)


# A table of processes: 'r...' is when one was heard last, 'j...' when it joined, 'o...' whether it made calls before
# that this Redis does not know of, 'born' when the table was begun.
# KEYS replicas; ARGV own id, ms after which one is silent, ms after which it is forgotten, 1 for such calls or 0.
# Returns how many there are, for how long the table is known, for how long this one is in it without a break, and when
# the table was begun.
BEAT = Script(
    _NOW
    + """
local me, silent, gone = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local all, held, count = redis.call('HGETALL', KEYS[1]), {}, 1
for i = 1, #all, 2 do held[all[i]] = tonumber(all[i + 1]) end
local born = held['born'] or now
if not held['born'] then redis.call('HSET', KEYS[1], 'born', now) end
for id, at in pairs(held) do
  if string.sub(id, 1, 1) == 'r' and id ~= me then
    if now - at > gone then redis.call('HDEL', KEYS[1], id, 'j' .. id, 'o' .. id) else count = count + 1 end
  end
end
local joined = held['j' .. me]
if not joined or not held[me] or now - held[me] > silent then joined = now end
redis.call('HSET', KEYS[1], me, now, 'j' .. me, joined, 'o' .. me, ARGV[4])
redis.call('PEXPIRE', KEYS[1], gone)
return {count, now - born, now - joined, tonumber(born)}
"""
)

# The calls of one token in any window, over all processes. Each tells what it has under way (`held`, calls that it has
# been given and that have not ended) and when its past calls cease to count, whole and anew each time: what is lost is
# whole again as soon as everybody has spoken. One that is gone counts for what it said last. Those that may have lost
# Redis are left what they then take: a little each while they are heard, a full share once they are silent.
# KEYS calls of the token, replicas; ARGV own id, window, limit, wanted, held, past, ms after which one is silent, ms
# until those who lost Redis take full shares, ms that a call may be under way unheard, calls ended of which no answer
# told, reset that Clever told of or 0, ms until then, calls left by then, ms for which Clever wants to be left alone,
# past calls as `ms:count` and commas.
# Returns how many calls may begin, how many more could, ms to wait where it is fewer than wanted, and whether calls may
# count that Redis does not know of: the table of processes is young, and one had calls before, or may still say so.
CALLS = Script(
    _NOW
    + """
local me, window, limit, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local held = tonumber(ARGV[5])
local past, silent, settled, hold = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local all, heard, count, born, before = redis.call('HGETALL', KEYS[2]), {}, 0, now, false
for i = 1, #all, 2 do
  if all[i] == 'born' then born = tonumber(all[i + 1])
  elseif string.sub(all[i], 1, 1) == 'r' then heard[all[i]] = tonumber(all[i + 1]); count = count + 1
  elseif string.sub(all[i], 1, 1) == 'o' and all[i + 1] == '1' then before = true end
end
local young = now - born < silent / 2 or (before and now - born < settled)
if not heard[me] then count = count + 1; young = true end
local least = math.max(1, math.floor(limit / (5 * count)))
local share = math.max(1, math.floor(limit * 9 / (10 * count)))

local others, under_way, first, listed = 0, held, nil, {}
local told_reset, told_until, told_left, closed = 0, 0, 0, 0
local function sooner(at) if not first or at < first then first = at end end
all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local id, said = all[i], all[i + 1]
  if id == 'told' then
    local reset, till, left = string.match(said, '^(%d+):(%d+):(-?%d+)$')
    told_reset, told_until, told_left = tonumber(reset), tonumber(till), tonumber(left)
  elseif id == 'closed' then closed = tonumber(said)
  elseif id ~= me then
    local its, at, used, runs = string.match(said, '^(%d+);(%d+);(%d+);(.*)$')
    its, at, used = tonumber(its), tonumber(at), tonumber(used)
    local quiet = not heard[id] or now - heard[id] > silent
    local counts = 0
    if its > 0 and (not quiet or now < at + hold + window) then
      counts = its
      if not quiet or now < at + hold then under_way = under_way + its end
    end
    for till, calls in string.gmatch(runs, '(%d+):(%d+)') do
      if tonumber(till) > now then counts = counts + tonumber(calls); sooner(tonumber(till)) end
    end
    local kept = 0
    if heard[id] then
      listed[id] = true
      kept = least
      if quiet then kept = share end
      if quiet and now - heard[id] < settled then kept = math.max(share, used) end
    end
    if counts == 0 and not heard[id] then redis.call('HDEL', KEYS[1], id) end
    others = others + math.max(counts, kept)
  end
end
for id, at in pairs(heard) do
  if id ~= me and not listed[id] then
    if now - at > silent then others = others + share else others = others + least end
  end
end

told_left = told_left - tonumber(ARGV[10])
local reset, till, left = tonumber(ARGV[11]), now + tonumber(ARGV[12]), tonumber(ARGV[13])
if reset > 0 then
  if now < told_until and reset <= told_reset then
    if reset == told_reset and left < told_left then told_left = left end
  else told_reset, told_until, told_left = reset, till, left end
end
if now < told_until then
  redis.call('HSET', KEYS[1], 'told', string.format('%d:%d:%d', told_reset, told_until, told_left))
end
closed = math.max(closed, now + tonumber(ARGV[14]))
if closed > now then redis.call('HSET', KEYS[1], 'closed', closed) end

local runs = {}
for ms, calls in string.gmatch(ARGV[15], '(%d+):(%d+)') do
  local ends = now + tonumber(ms)
  sooner(ends)
  runs[#runs + 1] = string.format('%d:%s', ends, calls)
end
local free = limit - math.max(1, math.floor(limit / 50)) - held - past - others
local wait = window / 60
if first and first > now then wait = first - now end
if now < told_until and told_left - under_way < free then
  free = told_left - under_way
  if under_way == 0 then wait = told_until - now end
end
if closed > now then free = 0; wait = closed - now end
free = math.max(0, free)
local given = math.min(wanted, free)
if given == wanted then wait = 0 end
local mine = string.format('%d;%d;%d;%s', held + given, now, held + past + given, table.concat(runs, ','))
redis.call('HSET', KEYS[1], me, mine)
redis.call('PEXPIRE', KEYS[1], 3 * window + hold)
return {given, free - given, math.ceil(wait), young and 1 or 0}
"""
)

# Of a tenant there are: a table (`g` generation, `a` when Clever accepted the token last, `s` what was learned), an
# index of its entries by when they end, and entries: tables of when they were read (`t`), the version and number of
# their chunks (`v`, `n`), bytes (`s`), whether there is nothing (`m`), generation (`g`), and a body (`b`).
# An entry of another generation than the table's is not there: the token has been refused or narrowed since. Who knows
# of a later drop than Redis does, which has been emptied, is believed.
_GENERATION = """
local function generation(given)
  local held = redis.call('HGET', KEYS[1], 'g')
  if not held or (held < given and string.sub(given, 1, 12) ~= '000000000000') then
    -- In a full Redis it stays without.
    local set = redis.pcall('HSET', KEYS[1], 'g', given)
    if type(set) == 'table' and set.err then return false end
    redis.call('HDEL', KEYS[1], 'a', 's')
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    held = given
  end
  return held
end
local function entry(name, held, room)
  local e = redis.call('HMGET', name, 'g', 't', 'v', 'n', 's', 'm')
  if not e[1] or e[1] ~= held then return false end
  local body = false
  if tonumber(e[4]) > 0 or tonumber(e[5]) <= room then body = redis.call('HGET', name, 'b') end
  return {now - tonumber(e[2]), e[3], tonumber(e[4]), tonumber(e[5]), e[6], body}
end
"""

# KEYS table, entries; ARGV generation where there is none, its life in ms, most bytes of bodies.
# Returns the generation, ms since the token was accepted, what was learned, and for each entry its age, version,
# chunks, bytes, whether it is nothing, and its body where there is room for it; or false.
FIND = Script(
    _NOW
    + _GENERATION
    + """
local held, room, found = generation(ARGV[1]), tonumber(ARGV[3]), {}
for i = 2, #KEYS do
  local e = entry(KEYS[i], held, room)
  if e and e[6] and e[3] == 0 then room = room - e[4] end
  found[i - 1] = e
end
local told = redis.call('HMGET', KEYS[1], 'a', 's')
return {held, told[1] and now - tonumber(told[1]), told[2], found}
"""
)

# KEYS table, entry, lease; ARGV generation where there is none, its life in ms, owner, ms that a lease lasts, age in ms
# below which an entry is good enough, the same where it is nothing.
# Returns the generation; the entry if it is good enough, else false; whether the lease is the owner's now; and with an
# entry ms since the token was accepted.
CLAIM = Script(
    _NOW
    + _GENERATION
    + """
local held = generation(ARGV[1])
local e = entry(KEYS[2], held, 16777216)
if e and e[1] < tonumber(e[5] == '1' and ARGV[6] or ARGV[5]) then
  local at = redis.call('HGET', KEYS[1], 'a')
  return {held, e, 0, at and now - tonumber(at)}
end
local taken = redis.pcall('SET', KEYS[3], ARGV[3], 'NX', 'PX', ARGV[4])
if type(taken) == 'table' and taken.err then return {held, false, 1, false} end
return {held, false, taken and 1 or 0, false}
"""
)

# KEYS table, index, entries; ARGV generation, its life in ms, ms since the token was accepted or -1, then for each
# entry: age, life, version, chunks, bytes, whether it is nothing, body.
# Returns the generation, and where it is the given one the version and chunks that each entry had before. What is older
# than what is there stays away.
KEEP = Script(
    _NOW
    + _GENERATION
    + """
local held = generation(ARGV[1])
if held ~= ARGV[1] then return {held} end
if tonumber(ARGV[3]) >= 0 then
  local at, known = now - tonumber(ARGV[3]), redis.call('HGET', KEYS[1], 'a')
  if not known or tonumber(known) < at then redis.call('HSET', KEYS[1], 'a', at) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local before, latest = {}, 0
for i = 3, #KEYS do
  local a = 4 + (i - 3) * 7
  local at, life = now - tonumber(ARGV[a]), tonumber(ARGV[a + 1])
  local known = redis.call('HMGET', KEYS[i], 'g', 't', 'v', 'n')
  if known[1] == held and tonumber(known[2]) > at then
    before[i - 2] = {ARGV[a + 2], ARGV[a + 3]}
  else
    redis.call('HSET', KEYS[i], 'g', held, 't', at, 'v', ARGV[a + 2], 'n', ARGV[a + 3], 's', ARGV[a + 4],
      'm', ARGV[a + 5], 'b', ARGV[a + 6])
    redis.call('PEXPIRE', KEYS[i], life)
    redis.call('ZADD', KEYS[2], now + life, KEYS[i])
    before[i - 2] = {known[3], known[4]}
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, now)
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return {held, before}
"""
)

# KEYS table, index, entries; ARGV ms for which the entries stay.
RETIRE = Script(
    """
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[1], 'LT') end
return 1
"""
)

# KEYS table, then for each entry its name and that of a mark; ARGV generation, its life in ms, ms that a mark stays,
# then for each entry its age.
# Returns the generation, and where it is the given one for each entry whether whoever asks is to put it: it is not
# there, or older there, and nobody else is putting it.
LACK = Script(
    _NOW
    + _GENERATION
    + """
local held, lacks = generation(ARGV[1]), {}
if held ~= ARGV[1] then return {held} end
for i = 2, #KEYS, 2 do
  local n = i / 2
  local known = redis.call('HMGET', KEYS[i], 'g', 't')
  -- Moments that came by here before are the same within some milliseconds.
  local there = known[1] == held and tonumber(known[2]) >= now - tonumber(ARGV[3 + n]) - 50
  local marked = not there and redis.pcall('SET', KEYS[i + 1], 1, 'NX', 'PX', ARGV[3])
  lacks[n] = marked and not marked.err and 1 or 0
end
return {held, lacks}
"""
)

# KEYS table, index; ARGV new generation, its life in ms, channel, message. Chunks of entries are named after them.
# Returns the generation: the given one, or a later one that it has already, and then nothing is dropped.
DROP = Script(
    """
local held = redis.call('HGET', KEYS[1], 'g')
if held and held >= ARGV[1] and string.match(held, '^%x+$') then return held end
redis.call('HDEL', KEYS[1], 'a', 's')
redis.call('HSET', KEYS[1], 'g', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local e = redis.call('HMGET', name, 'v', 'n')
  for i = 1, tonumber(e[2] or 0) do redis.call('UNLINK', name .. ':' .. e[1] .. ':' .. (i - 1)) end
  redis.call('UNLINK', name)
end
redis.call('UNLINK', KEYS[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return ARGV[1]
"""
)

# KEYS table; ARGV field, value or '' for now: noted of a tenant that is known.
NOTE = Script(
    _NOW
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] == '' and now or ARGV[2]) end
return 1
"""
)

# KEYS lease; ARGV owner, ms that it lasts from now on. Returns whether it is still the owner's.
RENEW = Script(
    """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
)

# KEYS leases; ARGV channel, what a message to those who wait begins with, owners.
RELEASE = Script(
    """
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[2 + i] then redis.call('DEL', KEYS[i]) end
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. KEYS[i])
end
return 1
"""
)

# Names that must not pass again, by the unix ms until which that holds.
# KEYS table; ARGV most names, channel, what news begin with or '' for none, then for each name: digest, unix ms.
# Returns how many of them are new.
SPEND = Script(
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now)
local new = 0
for i = 4, #ARGV, 2 do
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[i + 1], ARGV[i]) == 1 then
    new = new + 1
    if ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[2], ARGV[3] .. ARGV[i] .. ' ' .. ARGV[i + 1]) end
  end
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -tonumber(ARGV[1]) - 1)
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], last[2]) end
return new
"""
)

# Documents: texts, an index by when they were used last, and one of their sizes.
# KEYS text, index, sizes; ARGV digest, life in ms. Returns the text.
READ_TEXT = Script(
    _NOW
    + """
local text = redis.call('GET', KEYS[1])
if text then redis.pcall('ZADD', KEYS[2], 'XX', now, ARGV[1]) end
return text
"""
)

# KEYS text, index, sizes; ARGV digest, life in ms, text, most bytes of all, what names of texts begin with.
KEEP_TEXT = Script(
    _NOW
    + """
local size = string.len(ARGV[3])
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
local before = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
redis.call('HSET', KEYS[3], ARGV[1], size)
local total = redis.call('HINCRBY', KEYS[3], 'total', size - before)
local function forget(name)
  total = redis.call('HINCRBY', KEYS[3], 'total', -tonumber(redis.call('HGET', KEYS[3], name) or 0))
  redis.call('HDEL', KEYS[3], name)
  redis.call('ZREM', KEYS[2], name)
  redis.call('UNLINK', ARGV[5] .. name)
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 0, now - tonumber(ARGV[2]))) do forget(name) end
while total > tonumber(ARGV[4]) do
  local least = redis.call('ZRANGE', KEYS[2], 0, 0)
  if not least[1] then break end
  forget(least[1])
end
for i = 2, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
return total
"""
)
