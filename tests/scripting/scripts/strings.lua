--- format
return {string.format('%d %5d %-5d| %05d %+d', 1, 2, 3, 4, 5), string.format('%s %10s %-10s|', 'a', 'b', 'c'), string.format('%x %X %o %c', 255, 255, 8, 65)}
--- format numbers
return {string.format('%f %.2f %e %g %G %.14g %.17g', 1.5, 2.345, 12345.678, 0.0001, 1e20, 0.1, 0.1), string.format('%d', 3.7), string.format('%i', -3.7), string.format('%u', 5)}
--- format quoted
return string.format('%q', 'a"b\\c\nd\0e\r')
--- format strings with zeros
return {string.format('%s', 'a\0b'), string.format('%5s', 'a\0b'), string.format('%.2s', 'abc')}
--- format wrong
return {pcall(string.format, '%d', 'x'), pcall(string.format, '%d'), pcall(string.format, '%y', 1), pcall(string.format)}
--- format wrong with a line
return string.format('%d', 'x')
--- format big
return {string.format('%d', 2^53), string.format('%.0f', 2^63), string.format('%5.1f', 1/0), string.format('%d', -2^63)}
--- find
return {string.find('hello', 'l'), string.find('hello', 'xyz'), string.find('hello', 'l', -2), string.find('a.b', '.', 1, true), string.find('', '')}
--- find captures
return {string.find('key=value', '(%w+)=(%w+)')}
--- match
return {string.match('2024-01-02', '(%d+)-(%d+)-(%d+)'), string.match('abc', '()b()'), string.match('  trim  ', '^%s*(.-)%s*$'), string.match('[[x]]', '%[%[(.*)%]%]')}
--- gmatch
local t = {} for w in string.gmatch('one two  three', '%a+') do t[#t + 1] = w end for k, v in string.gmatch('a=1,b=2', '(%w)=(%w)') do t[#t + 1] = k .. v end return t
--- gfind
local t = {} for w in string.gfind('one two', '%a+') do t[#t + 1] = w end return t
--- gsub
return {string.gsub('hello', 'l', 'L'), string.gsub('hello', 'l', 'L', 1), string.gsub('abc', '%w', '%0%0'), string.gsub('abc', '(a)(b)', '%2%1')}
--- gsub with a table and a function
return {string.gsub('$a $b', '%$(%w)', {a = 'x'}), string.gsub('abc', '.', function(c) if c == 'b' then return false end return c:upper() end)}
--- gsub wrong
return {pcall(string.gsub, 'a', '(', 'b'), pcall(string.gsub, 'a', 'a', '%2'), pcall(string.gsub, 'a', 'a', true), pcall(string.gsub, 'a', 'a', function() return {} end)}
--- patterns
return {string.match('f(a(b)c)d', '%b()'), string.match('THE (quick) fox', '%((%a+)%)'), string.find('a\0b', '%z'), string.match('x-y', '%-'), string.gsub('abc', '', '-')}
--- frontier and classes
return {string.gsub('THE (quick) fox', '%f[%a]%a+', 'W'), string.match('0x1F', '%x+', 3), string.match('\t x', '%s+'), string.match('a,b', '%p')}
--- malformed patterns
return {pcall(string.find, 'a', '['), pcall(string.find, 'a', '%'), pcall(string.find, 'a', '[a'), pcall(string.find, 'a', '%f'), pcall(string.find, 'a', '(()')}
--- rep, reverse, upper, lower, len
return {string.rep('ab', 3), string.rep('x', 0), string.rep('x', -1), string.reverse('abc'), string.upper('aBc1'), string.lower('AbC1'), string.len('a\0b'), #'abc'}
--- sub
return {string.sub('hello', 2), string.sub('hello', 2, 3), string.sub('hello', -3), string.sub('hello', 0), string.sub('hello', 10), string.sub('hello', -100, 2), string.sub('hello', 4, 2)}
--- byte and char
return {string.byte('abc'), string.byte('abc', 1, -1), string.byte('abc', 10), string.char(104, 105), string.char(), pcall(string.char, 256), pcall(string.char, -1)}
--- methods
return {('abc'):upper(), ('%d'):format(5), ('a,b'):find(','), #('x'):rep(10)}
--- bytes above 127
return {('\200\201'):upper(), ('\200'):find('%a'), ('\195\164'):len(), string.format('%q', '\200')}
--- concat of numbers
return {1 .. 2, 1.5 .. '', -0.0 .. '', 1e100 .. '', 2^53 .. ''}
--- comparison of strings
return {tostring('a' < 'b'), tostring('a' < 'B'), tostring('' < 'a'), tostring('a\0b' < 'a\0c'), tostring('10' < '9')}
--- string arithmetic
return {'10' + 5, '3' * '4', '0x10' + 0, pcall(function() return 'a' + 1 end), 10 .. 20}
--- table.concat
return {table.concat({1, 2, 'x'}), table.concat({1, 2, 3}, ', '), table.concat({}, 'x'), table.concat({1, 2, 3}, '-', 2, 3), pcall(table.concat, {1, {}, 3}), pcall(table.concat, {}, 'x', 1, 2)}
--- table.insert and remove
local t = {1, 2, 3} table.insert(t, 4) table.insert(t, 1, 0) local r = table.remove(t) local f = table.remove(t, 1) return {t, r, f, table.remove({}), select('#', table.remove({}))}
--- table.insert in the middle and far
local t = {1, 2, 3} table.insert(t, 2, 'x') table.insert(t, 7, 'far') return {t, t[7], #t}
--- table.insert nil
local t = {1} table.insert(t, nil) table.insert(t, 2) return t
--- table.insert numeric string position
local t = {1, 2} table.insert(t, '1', 'x') return t
--- table.insert wrong
return {pcall(table.insert), pcall(table.insert, {}), pcall(table.insert, 1, 2), pcall(table.insert, {}, 1, 2, 3), pcall(table.insert, {}, 'x', 2), pcall(table.insert, nil, 'x')}
--- table.insert wrong with a line
table.insert(nil, 'x')
--- table.insert wrong count with a line
local t = {}
table.insert(t)
--- table.insert in a loop
local t = {} for i = 1, 1000 do table.insert(t, i * 2) end local s = 0 for i = 1, #t do s = s + t[i] end return {#t, s}
--- table.sort
local t = {5, 2, 8, 1, 9, 3} table.sort(t) local u = {'b', 'a', 'c'} table.sort(u, function(a, b) return a > b end) return {t, u}
--- table.sort wrong
return {pcall(table.sort, {1, 'a', 2}), pcall(table.sort, {3, 1, 2, 5, 4}, function(a, b) return true end) == nil}
--- table.maxn, getn, setn, foreach
local t = {} table.foreach({a = 1}, function(k, v) t[#t + 1] = k .. v end) table.foreachi({7, 8}, function(i, v) t[#t + 1] = i .. v end)
return {table.maxn({1, 2, [10] = 3}), table.getn({1, 2, 3}), pcall(table.setn, {}, 1), t, table.foreach({1, 2, 3}, function(i, v) if v == 2 then return 'two' end end)}
--- math
return {math.floor(1.7), math.floor(-1.7), math.ceil(1.2), math.ceil(-1.2), math.abs(-5), math.max(1, 5, 3), math.min(4, 2, 8), math.sqrt(16), math.pow(2, 10), math.fmod(7, 3), math.fmod(-7, 3), math.mod(7, 3)}
--- math as text
return {tostring(math.pi), tostring(math.huge), tostring(math.sin(1)), tostring(math.cos(1)), tostring(math.tan(1)), tostring(math.exp(1)), tostring(math.log(10)), tostring(math.log10(1000)), tostring(math.atan2(1, 2)), tostring(math.deg(1)), tostring(math.rad(180)), tostring(math.cosh(1))}
--- math.modf, frexp, ldexp
return {tostring(math.modf(3.7)), select(2, math.modf(3.75)) * 100, math.frexp(8), select(2, math.frexp(8)), math.ldexp(0.5, 4)}
--- math wrong
return {pcall(math.floor), pcall(math.floor, 'x'), pcall(math.max), math.floor('3.7')}
--- modulo and division
return {7 % 3, -7 % 3, 7 % -3, 5.5 % 2, tostring(1 / 0), tostring(-1 / 0), tostring(1 % 0), tostring(1 % math.huge), tostring(-1 % math.huge), 2 ^ 10, tostring(2 ^ 0.5)}
--- random with a seed
math.randomseed(42) local t = {} for i = 1, 20 do t[i] = tostring(math.random()) end return t
--- random ranges
math.randomseed(7) local t = {} for i = 1, 50 do t[i] = math.random(100) end for i = 1, 50 do t[50 + i] = math.random(-5, 5) end return t
--- random seeds
local t = {} for _, s in ipairs({0, 1, -1, 2^31, 2^32, 2^32 + 5, 1.9, -2^31, 123456789, 1e300}) do math.randomseed(s) t[#t + 1] = tostring(math.random()) t[#t + 1] = math.random(1000000) end return t
--- random edge ranges
math.randomseed(3) return {math.random(1), math.random(5, 5), math.random(2147483647), math.random(0, 2147483646), math.random(1.9), math.random('10')}
--- random wrong
return {pcall(math.random, 0), pcall(math.random, 2, 1), pcall(math.random, 1, 2, 3), pcall(math.random, 'x'), pcall(math.randomseed), pcall(math.randomseed, 'x')}
--- random wrong with a line
return math.random(0)
--- random seed wrong with a line
math.randomseed()
--- large table
local t = {} for i = 1, 100000 do t[i] = i end return {#t, t[100000], select('#', unpack(t, 1, 5000))}
--- table with holes
local t = {1, 2, nil, 4} return {#t, #{nil, 2}, #{1, nil, 3}}
--- KEYS with a hole; keys=a b c d
KEYS[4] = nil local n = #KEYS KEYS[2] = nil return {n, #KEYS}
--- closures and varargs
local function f(...) local t = {...} return select('#', ...), t[1], ... end return {f(1, nil, 3)}
--- multiple assignment
local a, b, c = (function() return 1, 2, 3 end)() return {a, b, c}
--- numeric for
local t = {} for i = 10, 1, -3 do t[#t + 1] = i end for i = 1, 0 do t[#t + 1] = 'no' end for i = 0.1, 0.35, 0.1 do t[#t + 1] = tostring(i) end return t
--- order of pairs
local t = {} for i = 1, 20 do t['k' .. i] = i end local r = {} for k, v in pairs(t) do r[#r + 1] = k end return r
--- order of pairs after deletions
local t = {} for i = 1, 50 do t['key' .. i] = i end for i = 1, 50, 3 do t['key' .. i] = nil end for i = 1, 5 do t['new' .. i] = i end local r = {} for k in pairs(t) do r[#r + 1] = k end return r
--- order of mixed keys
local t = {10, 20, x = 1, y = 2, [1.5] = 3, [-1] = 4, [100] = 5, [true] = 6} local r = {} for k, v in pairs(t) do r[#r + 1] = tostring(k) .. v end return r
