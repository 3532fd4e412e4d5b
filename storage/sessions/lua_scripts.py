"""Lua scripts for Redis: open, save, release and delete a session; count in a window.

A turn is `OPEN_SESSION` and `SAVE_SESSION`, or, where the process knows what it saved last and the turn has no
effects, `SAVE_RECALLED` alone.

A session is one string under `{tag}name`, smaller than a hash of the same fields (which leaves its
compact form above 64 bytes a field): kind, version (4 bytes), fencing token (7), end of the lease in
ms (6), length of the hop, the hop, and a body opaque to the scripts. Kinds: 0xD0 leased and never
saved, 0xD1 live, 0xD2 ended.

Tokens grow with the server's clock in microseconds, so that none is issued twice, not even after the
record, or all of Redis, was lost. A lease that ends later than `lease_ms` from now was written under
another clock and is ignored. A value in another format is treated as absent, and no value makes a script
fail: every caller would take that for a Redis outage (`math.max(now, empty)` is `now` where the bucket
holds "nan", with the arguments swapped it is not; above 2^53 integers are no longer exact).
"""

from storage.sessions.script_client import Script

_RECORD_FUNCTIONS = """
local function read(key)
  local record = redis.pcall('GET', key)
  if type(record) ~= 'string' or #record < 19 then return nil end
  local kind, version, token, until_ms, length = struct.unpack('>I1I4I7I6I1', record)
  if kind < 0xD0 or kind > 0xD2 or token >= 2^53 or #record < 19 + length then return nil end
  return {kind, version, token, until_ms, record:sub(20, 19 + length), record:sub(20 + length)}
end
local function write(key, kind, version, token, until_ms, hop, body, ttl)
  local head = struct.pack('>I1I4I7I6I1', kind, version, token, until_ms, #hop)
  redis.call('SET', key, head .. hop .. body, 'PX', ttl)
end
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
"""
_LIMIT_FUNCTION = """
local function is_limited(key, now, interval, window)
  if interval == 0 then return false end
  local empty = tonumber(redis.pcall('GET', key) or 0) or 0
  local filled = math.min(math.max(now, empty), now + window) + interval
  if filled > now + window then return true end
  redis.call('SET', key, string.format('%.0f', filled), 'PX', math.ceil((filled - now) / 1000))
  return false
end
"""
_RESUME_FUNCTION = """
local function store_point(key, resume_ms, name, body)
  if resume_ms == '0' then return end
  if name == '' then return redis.call('DEL', key) end
  redis.call('SET', key, name .. ':' .. body, 'PX', resume_ms)
end
"""

OPEN_SESSION = Script(
    _RECORD_FUNCTIONS
    + _LIMIT_FUNCTION
    + """
local hop, lease_ms, ttl_ms, interval, window, resumes =
  ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] ~= '0'
local now = clock()
local ms = math.floor(now / 1000)
local was = read(KEYS[1]) or {0xD0, 0, 0, 0, '', ''}
local kind, version, token, until_ms, body = was[1], was[2], was[3], was[4], was[6]
if kind ~= 0xD0 and was[5] == hop then return {3, version, 0, body} end
if kind == 0xD2 then return {2, version, 0, body} end
if until_ms > ms and until_ms <= ms + lease_ms then return {4} end
if is_limited(KEYS[2], now, interval, window) then return {5} end
token = math.max(token + 1, now)
write(KEYS[1], kind, version, token, ms + lease_ms, was[5], body, ttl_ms)
local point = resumes and kind == 0xD0 and redis.pcall('GET', KEYS[3])
return {kind == 0xD1 and 1 or 0, version, token, body, type(point) == 'string' and point or ''}
""",
    key_count=3,
)
"""Keys: session, bucket, resume point. Arguments: hop, lease ms, TTL ms, interval us (0: no limit), window us,
resume ms (0: no resumption).

Returns status (0 new, 1 live, 2 ended, 3 replay, 4 busy, 5 limited), version, token, body, resume point.
"""

POINT_SEPARATOR = b":"
"""Stands between the name of a resume point's session and its body."""
SAVE_SESSION = Script(
    _RECORD_FUNCTIONS
    + _RESUME_FUNCTION
    + """
local was = read(KEYS[1])
if not was or was[2] ~= tonumber(ARGV[1]) or was[3] ~= tonumber(ARGV[2]) or was[4] == 0 then return 0 end
local version = (was[2] + 1) % 4294967296
write(KEYS[1], tonumber(ARGV[3]), version, was[3], 0, ARGV[4], ARGV[5], ARGV[6])
store_point(KEYS[2], ARGV[7], ARGV[8], ARGV[5])
return 1
""",
    key_count=2,
)
"""Keys: session, resume point. Arguments: version, token, kind, hop, body, TTL ms, resume ms (0: no
resumption), name of the session if it is the resume point (empty deletes that). Returns 1, or 0 when the
lease was lost.
"""

SAVE_RECALLED = Script(
    _RECORD_FUNCTIONS
    + _LIMIT_FUNCTION
    + _RESUME_FUNCTION
    + """
local was = read(KEYS[1])
if not was or was[1] ~= 0xD1 or was[2] ~= tonumber(ARGV[1]) or was[3] ~= tonumber(ARGV[2]) then return 0 end
local now = clock()
if is_limited(KEYS[3], now, tonumber(ARGV[9]), tonumber(ARGV[10])) then return 0 end
local token = math.max(was[3] + 1, now)
write(KEYS[1], tonumber(ARGV[3]), (was[2] + 1) % 4294967296, token, 0, ARGV[4], ARGV[5], ARGV[6])
store_point(KEYS[2], ARGV[7], ARGV[8], ARGV[5])
return token
""",
    key_count=3,
)
"""Save a turn that was begun without a lease from what this process saved last.

Version and token together name one saved record: whoever opened, saved or deleted the session since then, or
holds its lease, has given it another token. Keys: session, resume point, bucket. Arguments: those of
`SAVE_SESSION`, then interval us (0: no limit) and window us. Returns the new token, or 0 with nothing changed:
the session is not that any more, or the subscriber is over the limit.
"""

ACKNOWLEDGE_REPLY = Script(
    _RECORD_FUNCTIONS
    + """
local was = read(KEYS[1])
if not was or was[1] == 0xD0 or was[2] ~= tonumber(ARGV[1]) then return 0 end
write(KEYS[1], was[1], was[2], was[3], was[4], '', was[6], math.max(1, redis.call('PTTL', KEYS[1])))
return 1
""",
    key_count=1,
)
"""Arguments: version. Empties the hop, which no request id equals; keeps lease and remaining TTL."""

RELEASE_LEASE = Script(
    _RECORD_FUNCTIONS
    + """
local was = read(KEYS[1])
if not was or was[3] ~= tonumber(ARGV[1]) or was[4] == 0 then return 0 end
if was[1] == 0xD0 then return redis.call('DEL', KEYS[1]) end
write(KEYS[1], was[1], was[2], was[3], 0, was[5], was[6], math.max(1, redis.call('PTTL', KEYS[1])))
return 1
""",
    key_count=1,
)
"""Arguments: token. Keeps a saved session and its remaining TTL; deletes one never saved."""

DROP_SESSION = Script("return redis.call('DEL', KEYS[1])", key_count=1)
"""Delete the session, leased or not."""

FORGET_SUBSCRIBER = Script(
    """
local found = redis.call('SCAN', ARGV[1], 'MATCH', KEYS[1] .. '*', 'COUNT', 2000)
local gone = 0
for _, key in ipairs(found[2]) do
  if key ~= KEYS[1] then
    local kind = string.byte(tostring(redis.pcall('GET', key) or ''))
    redis.call('DEL', key)
    if kind and kind >= 0xD0 and kind <= 0xD2 then gone = gone + 1 end
  end
end
redis.call('DEL', KEYS[1])
return {found[1], gone}
""",
    key_count=1,
)
"""One SCAN step. Key: `{tag}`, which is the bucket's key and selects the cluster node of this tag's keys.
Argument: the cursor. Returns the next cursor, 0 at the end, and how many sessions were deleted; resume points
are deleted and not counted.
"""

COUNT_IN_WINDOW = Script(
    """
local count = redis.pcall('INCR', KEYS[1])
if type(count) ~= 'number' then
  redis.call('DEL', KEYS[1])
  count = redis.call('INCR', KEYS[1])
end
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
""",
    key_count=1,
)
"""Argument: the window in ms, which begins with the first count. Returns the count."""
