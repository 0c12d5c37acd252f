--- release a lock; keys=lock; args=token
-- > SET lock token
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end
--- release a lock of another; keys=lock; args=token
-- > SET lock other
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end
--- extend a lock; keys=lock; args=token 60000
-- > SET lock token PX 30000
local token = redis.call('get', KEYS[1])
if not token or token ~= ARGV[1] then return 0 end
local expiration = redis.call('pttl', KEYS[1])
if not expiration then expiration = 0 end
if expiration < 0 then return 0 end
redis.call('pexpire', KEYS[1], ARGV[2])
return 1
--- fixed window limiter; keys=rate; args=10 60
local current = redis.call('incrby', KEYS[1], 1)
if tonumber(current) == 1 then redis.call('expire', KEYS[1], ARGV[2]) end
return {current, redis.call('ttl', KEYS[1])}
--- sliding window limiter; keys=window; args=1700000000 60 3
-- > ZADD window 1699999900 old 1699999990 a 1699999995 b
local now, window, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
if count < limit then redis.call('ZADD', KEYS[1], now, now) redis.call('EXPIRE', KEYS[1], window) return {1, limit - count - 1} end
return {0, 0}
--- token bucket with floats; keys=bucket; args=0.5 10 1700000000.25 1
-- > HSET bucket tokens 3.75 at 1699999990.5
local rate, capacity, now, requested = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(state[1]) or capacity
local at = tonumber(state[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local allowed = tokens >= requested
if allowed then tokens = tokens - requested end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
return {allowed and 1 or 0, tostring(tokens), redis.call('HGET', KEYS[1], 'tokens'), redis.call('HGET', KEYS[1], 'at')}
--- move due jobs; keys=delayed ready; args=100
-- > ZADD delayed 50 a 99 b 100 c 101 d
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1000)
if #due > 0 then redis.call('RPUSH', KEYS[2], unpack(due)) redis.call('ZREM', KEYS[1], unpack(due)) end
return {due, redis.call('LRANGE', KEYS[2], 0, -1), redis.call('ZCARD', KEYS[1])}
--- job as a hash; keys=job:1 wait; args=name {"x":1}
local rcall = redis.call
local data = cjson.decode(ARGV[2])
data.attempts = (data.attempts or 0) + 1
rcall('HMSET', KEYS[1], 'name', ARGV[1], 'data', cjson.encode(data))
rcall('LPUSH', KEYS[2], KEYS[1])
local fields = rcall('HGETALL', KEYS[1])
local job = {}
for i = 1, #fields, 2 do job[fields[i]] = fields[i + 1] end
return {job.name, job.data, rcall('LLEN', KEYS[2])}
--- wrong type through rcall in a function; keys=job
-- > SET job x
local rcall = redis.call
local function add(key, value)
  return rcall('LPUSH', key, value)
end
local function outer(key)
  local r = add(key, 1)
  return r
end
return outer(KEYS[1])
--- msgpack arguments; keys=q; args=\x93\x01\xa1x\x81\xa1k\xc3
local args = cmsgpack.unpack(ARGV[1])
return {args[1], args[2], tostring(args[3].k)}
--- batch in chunks; keys=big
local function batches(n, size) local from = 1 return function() if from <= n then local to = math.min(from + size - 1, n) local f = from from = to + 1 return f, to end end end
local t = {} for i = 1, 12000 do t[i] = i end
for from, to in batches(#t, 5000) do redis.call('rpush', KEYS[1], unpack(t, from, to)) end
return redis.call('llen', KEYS[1])
--- delete by pattern; args=tmp:*
-- > MSET tmp:1 a tmp:2 b keep c
local cursor, deleted = '0', 0
repeat
  local r = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 100)
  cursor = r[1]
  for _, key in ipairs(r[2]) do deleted = deleted + redis.call('DEL', key) end
until cursor == '0'
return {deleted, redis.call('EXISTS', 'keep')}
--- compare and set with a version; keys=doc; args=3 new
-- > HSET doc version 3 body old
local version = tonumber(redis.call('HGET', KEYS[1], 'version'))
if version ~= tonumber(ARGV[1]) then return redis.error_reply('CONFLICT version is ' .. version) end
redis.call('HSET', KEYS[1], 'version', version + 1, 'body', ARGV[2])
return redis.call('HMGET', KEYS[1], 'version', 'body')
--- compare and set in conflict; keys=doc; args=2 new
-- > HSET doc version 3 body old
local version = tonumber(redis.call('HGET', KEYS[1], 'version'))
if version ~= tonumber(ARGV[1]) then return redis.error_reply('CONFLICT version is ' .. version) end
return 1
--- leaderboard; keys=board
-- > ZADD board 10 a 20 b 30 c
local r = redis.call('ZREVRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local out = {}
for i = 1, #r, 2 do out[#out + 1] = string.format('%d. %s %s', (i + 1) / 2, r[i], r[i + 1]) end
return out
--- counters as numbers; keys=n
local n = redis.call('incr', KEYS[1])
local f = redis.call('incrbyfloat', KEYS[1], 0.5)
return {n + 1, f, type(f), f + 1, tostring(f * 2)}
--- bloom filter with bit; keys=bf; args=hello
local h1, h2 = 0, 5381
for i = 1, #ARGV[1] do local b = ARGV[1]:byte(i) h1 = bit.bxor(bit.lshift(h1, 5), b) h2 = bit.band(h2 * 33 + b, 0x7fffffff) end
for i = 0, 3 do redis.call('setbit', KEYS[1], bit.band(h1 + i * h2, 0x3ff), 1) end
return {h1, h2, redis.call('bitcount', KEYS[1])}
--- struct in a field; keys=h
redis.call('hset', KEYS[1], 'p', struct.pack('>I4dI1', 7, 1.5, 255))
local a, b, c = struct.unpack('>I4dI1', redis.call('hget', KEYS[1], 'p'))
return {a, tostring(b), c}
--- memoized recursion
local memo = {}
local function fib(n) if n < 2 then return n end if not memo[n] then memo[n] = fib(n - 1) + fib(n - 2) end return memo[n] end
return {fib(50), fib(80)}
--- class with inheritance
local Base = {} Base.__index = Base
function Base.new(x) return setmetatable({x = x}, Base) end
function Base:get() return self.x end
local Derived = setmetatable({}, {__index = Base}) Derived.__index = Derived
function Derived.new(x) return setmetatable(Base.new(x), Derived) end
function Derived:twice() return self:get() * 2 end
return Derived.new(21):twice()
--- writes before an error stay; keys=a b
redis.call('set', KEYS[1], 'written')
redis.call('lpush', KEYS[1], 'x')
