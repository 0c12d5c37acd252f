--- assign a global
foo = 1
--- define a function
function foo() end
--- read a global
return foo
--- read a global in a function
local function f() return foo end
return f()
--- call a global
foo()
--- through _G
return _G.foo
--- assign through _G
_G.foo = 1
--- rawset
rawset(_G, 'foo', 1)
--- rawget
return {rawget(_G, 'foo') == nil, rawget(_G, 'redis') == redis, rawget(_G, 'KEYS') == KEYS, rawget(_G, 'string') == string}
--- rawset on a library
rawset(string, 'foo', 1)
--- rawset of our own
local t = {} return {rawset(t, 'a', 1) == t, t.a, rawget(t, 'a'), rawget(t, 'b')}
--- rawset wrong
return {pcall(rawset), pcall(rawset, {}), pcall(rawset, {}, 1), pcall(rawset, 1, 2, 3), pcall(rawset, {}, nil, 3)}
--- rawset wrong with a line
local x = rawset({}, 1)
--- rawget wrong
return {pcall(rawget), pcall(rawget, {}), pcall(rawget, 1, 2)}
--- rawget wrong with a line
local x = rawget('x', 1)
--- rawequal
return {tostring(rawequal(redis, redis)), tostring(rawequal({}, {})), tostring(rawequal('a', 'a'))}
--- assign into redis
redis.foo = 1
--- assign over redis.call
redis.call = function() end
--- assign into string
string.foo = 1
--- assign into a local alias
local s = string
s.rep = nil
--- assign into every library
local t = {}
for _, name in ipairs({'redis', 'string', 'table', 'math', 'cjson', 'cmsgpack', 'struct', 'bit', 'coroutine'}) do
  local ok, e = pcall(function() _G[name].foo = 1 end)
  t[#t + 1] = e
end
return t
--- insert into _G
table.insert(_G, 1)
--- insert into redis
table.insert(redis, 1, 'x')
--- delete _G
_G = nil
--- delete KEYS
KEYS = nil
--- setmetatable of _G
setmetatable(_G, {})
--- setmetatable of redis
setmetatable(redis, nil)
--- getmetatable of _G
return {type(getmetatable(_G)), type(getmetatable(_G).__index), type(getmetatable(_G).__newindex), type(getmetatable(getmetatable(_G)))}
--- change the metatable of _G
getmetatable(_G).__index = nil
--- getmetatable of libraries
return {type(getmetatable(redis)), type(getmetatable(string)), type(getmetatable(math))}
--- getmetatable of strings
return {type(getmetatable('')), tostring(getmetatable('').__index == string), getmetatable('').foo}
--- change the metatable of strings
getmetatable('').__index = {}
--- change string through the metatable
getmetatable('').__index.rep = nil
--- add to the metatable of strings
getmetatable('').__add = function() return 1 end
--- getmetatable of other things
return {type(getmetatable(1)), type(getmetatable(nil)), type(getmetatable(print_ == nil)), type(getmetatable(cjson.null)), type(getmetatable({}))}
--- getmetatable without argument
return getmetatable()
--- setmetatable works
local t = setmetatable({}, {__index = {a = 1}, __call = function(_, x) return x + 1 end, __len = function() return 9 end})
return {t.a, t(5), #t, tostring(getmetatable(t).__index.a)}
--- setmetatable protected
local t = setmetatable({}, {__metatable = 'locked'}) return {getmetatable(t), pcall(setmetatable, t, {})}
--- setmetatable protected with a line
local t = setmetatable({}, {__metatable = false})
setmetatable(t, {})
--- setmetatable wrong
return {pcall(setmetatable), pcall(setmetatable, {}), pcall(setmetatable, 1, {}), pcall(setmetatable, {}, 1)}
--- setmetatable wrong with a line
local x = setmetatable({})
--- setmetatable nil
local t = setmetatable({}, {__index = {a = 1}}) setmetatable(t, nil) return {t.a, type(getmetatable(t))}
--- the globals
local names = {} for k in pairs(_G) do names[#names + 1] = k end table.sort(names) return names
--- the libraries
local names = {}
for _, name in ipairs({'redis', 'string', 'table', 'math', 'cjson', 'cmsgpack', 'struct', 'bit', 'coroutine'}) do
  for k, v in pairs(_G[name]) do names[#names + 1] = name .. '.' .. k .. ' ' .. type(v) end
end
table.sort(names) return names
--- pairs of _G cannot change it
for k, v in pairs(_G) do if k == 'redis' then return type(v) end end
--- the table that pairs gives is not the real one
local _, t = pairs(_G) local ok = pcall(function() t.foo = 1 end) return rawget(_G, 'foo') == nil and 'safe'
--- what is missing
local t = {}
for _, name in ipairs({'print', 'dofile', 'loadfile', 'require', 'module', 'package', 'io', 'os', 'debug', 'getfenv', 'setfenv', 'newproxy', 'python'}) do
  t[#t + 1] = name .. ' ' .. type(rawget(_G, name))
end
return t
--- read each missing one
return {pcall(function() return os end), pcall(function() return debug end), pcall(function() return print end)}
--- index _G by odd keys
return {pcall(function() return _G[1] end), pcall(function() return _G[1.5] end)}
--- index _G by a table
return _G[{}]
--- index _G by true
return _G[true]
--- pairs wrong
for k in pairs(nil) do end
--- pairs wrong without argument
for k in pairs() do end
--- pairs of a string
return pairs('abc')
--- pairs caught
return {pcall(pairs), pcall(pairs, 1)}
--- pairs results
local f, t, k = pairs({a = 1}) return {type(f), t.a, type(k), tostring(f == next)}
--- ipairs wrong
for k in ipairs(nil) do end
--- next
return {next({}), next({5}), next({5}, 1), type(next)}
--- next wrong
return next({}, 'nokey')
--- next on nothing
return next(nil)
--- select
return {select('#'), select('#', nil, nil), select(2, 'a', 'b', 'c'), pcall(select, 0)}
--- select negative
return {select(-1, 'a', 'b', 'c')}
--- tonumber
return {tonumber('10'), tonumber('0x10'), tonumber('  7  '), tonumber('z', 36), tonumber('11', 2), tonumber('1e2'), tonumber(''), tonumber('x') == nil}
--- tonumber odd
return {tostring(tonumber('nan')), tostring(tonumber('inf')), tostring(tonumber('0x1p4')), tostring(tonumber('1e400')), pcall(tonumber), pcall(tonumber, '1', 99)}
--- tostring
return {tostring(1), tostring(1.5), tostring(-0.0), tostring(1e15), tostring(1e100), tostring(2^53), tostring(nil), tostring(true), tostring(0/0), tostring(1/0)}
--- tostring of null
return tostring(cjson.null)
--- type
return {type(1), type('a'), type(nil), type({}), type(redis.call), type(cjson.null), type(coroutine.create(function() end)), type(string), type(_G)}
--- type without argument
return type()
--- _VERSION
return _VERSION
--- gcinfo and collectgarbage
return {type(gcinfo()), type(collectgarbage('count')), collectgarbage(), collectgarbage('collect'), collectgarbage('stop'), collectgarbage('restart')}
--- collectgarbage wrong
return collectgarbage('nosuch')
--- collectgarbage step
return {type(collectgarbage('step', 1))}
--- unpack
return {unpack({1, 2, 3})}
--- unpack range
return {unpack({1, 2, 3}, 2), unpack({1, 2, 3}, 2, 3), select('#', unpack({}, 1, 3))}
--- unpack wrong
return unpack()
--- loadstring
return {loadstring('return 1 + 1')(), loadstring('return KEYS[1]')() == nil, type(loadstring('x x')), select(2, loadstring('x x'))}
--- loadstring with a name
return {select(2, loadstring('x x', 'mine')), select(2, loadstring('x x', '@file')), select(2, loadstring('x x', '=exact'))}
--- loadstring of several lines
return {select(2, loadstring('local a\nlocal b = = 1'))}
--- loadstring of a number
return {loadstring(5)}
--- loadstring wrong
return {pcall(loadstring), pcall(loadstring, {}), pcall(loadstring, nil)}
--- loadstring wrong with a line
local x = loadstring({})
--- loadstring uses globals
return loadstring('return foo')()
--- loadstring assigns globals
loadstring('foo = 1')()
--- loadstring calls redis
return loadstring("return redis.call('set', 'a', 'b')")()
--- loadstring of byte code
return {loadstring(string.dump(function() return 1 end)) == nil, select(2, loadstring('\27Lua')) }
--- loadstring passes arguments
return {loadstring('return ...')(1, 2, 3)}
--- error in loadstring code
return loadstring('error("inner")')()
--- error in loadstring code with a name
return loadstring('error("inner")', '@mine')()
--- load
local parts = {'return ', '1 ', '+ 1'} local i = 0
return load(function() i = i + 1 return parts[i] end)()
--- load empty
return {load(function() return nil end)(), type(load(function() return '' end))}
--- load syntax error
return {load(function() return nil end, 'x') ~= nil, select(2, load((function() local d = false return function() if not d then d = true return 'x x' end end end)()))}
--- load with a name
local d = false
return {select(2, load(function() if not d then d = true return 'x x' end end, '=mine'))}
--- load wrong
return {pcall(load), pcall(load, 'x')}
--- string.dump
return {type(string.dump(function() end)), string.byte(string.dump(function() end), 1, 4), pcall(string.dump, redis.call), pcall(string.dump, pairs)}
--- string.dump wrong
return string.dump(redis.call)
--- string.dump of a string
return {pcall(string.dump, 'x'), pcall(string.dump)}
--- coroutine
local co = coroutine.create(function(a, b)
  local c = coroutine.yield(a + b)
  local d, e = coroutine.yield(c * 2)
  return d + e
end)
return {coroutine.resume(co, 1, 2), select(2, coroutine.resume(co, 10)), select(2, coroutine.resume(co, 3, 4)), coroutine.status(co), coroutine.resume(co)}
--- coroutine.wrap
local f = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return {f(), f(), f(), f()}
--- coroutine.wrap as an iterator
local t = {} for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end) do t[#t + 1] = i end return t
--- coroutine.wrap dead
local f = coroutine.wrap(function() end) f() f()
--- coroutine.wrap error
local f = coroutine.wrap(function() error('inside') end)
f()
--- coroutine.wrap error of a table
local f = coroutine.wrap(function() error({err = 'TAB le'}) end)
f()
--- coroutine error caught
local co = coroutine.create(function() error('inside') end) return {coroutine.resume(co)}
--- coroutine error of a command
-- > SET s abc
local co = coroutine.create(function() return redis.call('incr', 's') end)
local ok, e = coroutine.resume(co) return {tostring(ok), type(e), e.err}
--- coroutine calls redis
local co = coroutine.wrap(function() redis.call('set', 'a', 1) coroutine.yield(redis.call('incr', 'a')) return redis.call('incr', 'a') end)
return {co(), co(), redis.call('get', 'a')}
--- coroutine error with level 2
local f = coroutine.wrap(function() error('inside', 2) end)
f()
--- coroutine running and status
return {type(coroutine.running()), coroutine.wrap(function() return type(coroutine.running()), coroutine.status(coroutine.running()) end)()}
--- yield outside
coroutine.yield(1)
--- yield across pcall
local f = coroutine.wrap(function() return pcall(coroutine.yield, 1) end) return {f()}
--- coroutine.create wrong
return {pcall(coroutine.create), pcall(coroutine.create, 1), pcall(coroutine.create, print_ ~= nil)}
--- coroutine.create wrong with a line
local co = coroutine.create('x')
--- coroutine.resume wrong
return {pcall(coroutine.resume), pcall(coroutine.resume, 1)}
--- coroutine.wrap wrong
return {pcall(coroutine.wrap), pcall(coroutine.wrap, {})}
--- coroutine.status wrong
return coroutine.status(1)
--- many coroutines
local n = 0 for i = 1, 2000 do coroutine.wrap(function() n = n + i end)() end return n
--- nested coroutines
local function gen(n) return coroutine.wrap(function() if n > 0 then for x in gen(n - 1) do coroutine.yield(x + 1) end end coroutine.yield(0) end) end
return 'not run'
--- environment is not there
return {pcall(function() return getfenv end)}
--- script arguments
return select('#', ...)
--- goto is a name
local goto_ = 1 return goto_
