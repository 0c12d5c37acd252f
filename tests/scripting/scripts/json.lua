--- encode scalars
return {cjson.encode(1), cjson.encode(1.5), cjson.encode(-0.0), cjson.encode('a'), cjson.encode(true), cjson.encode(false), cjson.encode(nil), cjson.encode(cjson.null), cjson.encode('')}
--- encode numbers
return {cjson.encode(1e15), cjson.encode(1e14), cjson.encode(123456789012345678), cjson.encode(0.1), cjson.encode(1/3), cjson.encode(1e100), cjson.encode(1e-10), cjson.encode(2^53), cjson.encode(100000000000000)}
--- encode tables
return {cjson.encode({}), cjson.encode({1, 2, 3}), cjson.encode({a = 1}), cjson.encode({{}, {{}}}), cjson.encode({1, {2, {3}}}), cjson.encode({[1] = 'a', [2] = 'b'})}
--- encode sparse
return {cjson.encode({[1] = 1, [3] = 3}), cjson.encode({[10] = 1}), cjson.encode({nil, nil, 3})}
--- encode too sparse
return cjson.encode({[1000] = 1})
--- encode sparse limits
return {pcall(cjson.encode, {[11] = 1}), cjson.encode({1, 2, 3, 4, 5, 6, [12] = 1}), pcall(cjson.encode, {1, 2, 3, 4, 5, [13] = 1})}
--- encode mixed keys
return {cjson.encode({[0] = 'a'}), cjson.encode({[-1] = 'a'}), cjson.encode({[1.5] = 'a'}), cjson.encode({[1e15] = 'x', a = 1}) ~= nil, cjson.encode({['1'] = 'x'})}
--- encode wrong keys
return {pcall(cjson.encode, {[true] = 1}), pcall(cjson.encode, {[{}] = 1})}
--- encode wrong keys with a line
return cjson.encode({[function() end] = 1})
--- encode wrong values
return {pcall(cjson.encode, function() end), pcall(cjson.encode, {function() end}), pcall(cjson.encode, coroutine.create(function() end)), pcall(cjson.encode, {a = redis.call})}
--- encode not finite
return {pcall(cjson.encode, 1/0), pcall(cjson.encode, 0/0), pcall(cjson.encode, {-1/0}), pcall(cjson.encode, {[1/0] = 1})}
--- encode not finite with a line
return cjson.encode(0/0)
--- encode strings
return {cjson.encode('a"b\\c/d'), cjson.encode('\b\f\n\r\t'), cjson.encode('\0\1\31\127'), cjson.encode('\195\164\255'), cjson.encode('a\0b')}
--- encode every byte
local t = {} for i = 0, 255 do t[#t + 1] = string.char(i) end return cjson.encode(table.concat(t))
--- encode keys that need quoting
return cjson.encode({['a"b\n'] = 1})
--- encode order
return cjson.encode({one = 1, two = 2, three = 3, four = 4, five = 5, six = 6, seven = 7, eight = 8})
--- encode order after decode
return cjson.encode(cjson.decode('{"zeta":1,"alpha":2,"mid":3,"x":{"q":[1,2,{"r":null}]},"longer key name":4,"k6":6,"k7":7}'))
--- encode a shared table
local a = {1} return cjson.encode({a, a, {a}})
--- encode deep
local t = {} local u = t for i = 1, 998 do u[1] = {} u = u[1] end return #cjson.encode(t)
--- encode too deep
local t = {} local u = t for i = 1, 1001 do u[1] = {} u = u[1] end return cjson.encode(t)
--- encode circular
local t = {} t[1] = t return cjson.encode(t)
--- encode circular object
local t = {} t.a = t return cjson.encode(t)
--- encode arguments
return {pcall(cjson.encode), pcall(cjson.encode, 1, 2)}
--- encode arguments with a line
return cjson.encode(1, 2)
--- encode ignores metatables
return cjson.encode(setmetatable({1}, {__index = {a = 1}, __pairs = error}))
--- encode false and nil values
return cjson.encode({false, true, cjson.null, 1})
--- decode scalars
return {cjson.decode('1'), tostring(cjson.decode('1.5')), cjson.decode('"a"'), tostring(cjson.decode('true')), tostring(cjson.decode('false')), tostring(cjson.decode('null')), cjson.decode('  7  ')}
--- decode null
return {tostring(cjson.decode('null') == cjson.null), type(cjson.decode('[null]')[1]), cjson.encode(cjson.decode('[null]'))}
--- decode numbers
local t = {} for _, s in ipairs({'0', '-0', '1', '-1', '1.5', '1e3', '1E+3', '1e-3', '0.1', '123456789012345678', '1e400', '-1e400', '00', '007', '1.', '0x10', '0X1f', '-0x10', '0x1p4', '0x.8', '0x1.8p1'}) do t[#t + 1] = tostring(cjson.decode(s)) end return t
--- decode odd numbers
local t = {} for _, s in ipairs({'inf', '-inf', 'Infinity', '-infinity', 'nan', 'NaN', '-nan', '+5', '+inf', 'nan(12)', 'INF', 'iNfInItY'}) do t[#t + 1] = tostring(cjson.decode(s)) end return t
--- decode wrong numbers
local t = {} for _, s in ipairs({'-', '+', '.5', '-.5', '1e', '1e+', '1.e3', '--1', '1-', '1 2', '0x', '0xg', 'infi', 'nanx', '-a', '1.2.3', '5x', '-x', '+x', 'in', 'na', '1e5.5', 'nan(', 'nan(1', '0x.', '0x1p', '0x1p+'}) do local ok, e = pcall(cjson.decode, s) t[#t + 1] = s .. ' ' .. tostring(ok) .. ' ' .. tostring(e) end return t
--- decode wrong tokens
local t = {} for _, s in ipairs({'', ' ', 'tru', 'truee', 'nul', 'nulll', 'fals', 'x', '\'a\'', '[', ']', '{', '}', '[1', '[1,', '[1,]', '[,1]', '[1 2]', '{1:2}', '{"a"}', '{"a":', '{"a":}', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}', '{"a":1 "b":2}', ':', ',', '[1]]', '{}{}', '[]x', '"a" "b"', '\0', 'a', '[:]', '{:}', '[{]', '{"a":]'}) do local ok, e = pcall(cjson.decode, s) t[#t + 1] = s .. ' ' .. tostring(ok) .. ' ' .. tostring(e) end return t
--- decode strings
return {cjson.decode('"a\\"b\\\\c\\/d"'), cjson.decode('"\\b\\f\\n\\r\\t"'), cjson.decode('"\\u0041\\u00e4\\u20ac"'), cjson.decode('"\\ud83d\\ude00"'), cjson.decode('"\\u0000x"'), cjson.decode('"raw\nnewline"'), cjson.decode('"\\u00FF\\uFFFF"')}
--- decode wrong strings
local t = {} for _, s in ipairs({'"', '"a', '"a\\', '"a\\"', '"\\x41"', '"\\u12"', '"\\u12g4"', '"\\ud800"', '"\\ud800x"', '"\\ud800\\u0041"', '"\\udc00"', '"\\ud800\\n"', '"abc\\u"', '"\\', '"\\q"', '"good" "', '"ab\\u00', '["a", "b\\x"]', '{"a\\z":1}', '"\\uD83D\\uDE0"'}) do local ok, e = pcall(cjson.decode, s) t[#t + 1] = s .. ' ' .. tostring(ok) .. ' ' .. tostring(e) end return t
--- decode bytes as they are
return {cjson.decode('"\1\2\255\195\164"'), cjson.decode('{"\200":1}')['\200']}
--- decode zero bytes
return {pcall(cjson.decode, '"a\0b"'), pcall(cjson.decode, '[1]\0junk'), pcall(cjson.decode, '\0\0'), pcall(cjson.decode, '1\0'), pcall(cjson.decode, '\0'), pcall(cjson.decode, '12\0')}
--- decode white space
return {cjson.encode(cjson.decode(' \t\r\n[ 1 , 2 ,\n3 ] ')), cjson.encode(cjson.decode('{ "a" : 1 }')), pcall(cjson.decode, '\v1'), pcall(cjson.decode, '\f1')}
--- decode nested
local t = cjson.decode('{"a":[1,2,{"b":[]}],"c":{}}') return {#t.a, t.a[3].b, cjson.encode(t.c), cjson.encode(t.a[3])}
--- decode duplicate keys
return {cjson.decode('{"a":1,"a":2}').a, cjson.decode('{"":3}')['']}
--- decode deep
return {#cjson.encode(cjson.decode(string.rep('[', 1000) .. string.rep(']', 1000)))}
--- decode too deep
return cjson.decode(string.rep('[', 1001) .. string.rep(']', 1001))
--- decode too deep objects
return cjson.decode(string.rep('{"a":', 1001) .. '1' .. string.rep('}', 1001))
--- decode unfinished deep
return {pcall(cjson.decode, string.rep('[', 999))}
--- decode arguments
return {pcall(cjson.decode), pcall(cjson.decode, 1), pcall(cjson.decode, {}), pcall(cjson.decode, '1', '2'), pcall(cjson.decode, nil)}
--- decode arguments with a line
return cjson.decode({})
--- decode error with a line
local x = cjson.decode('[1,2')
--- decode large
local t = {} for i = 1, 2000 do t[i] = {id = i, name = 'name' .. i, tags = {'a', 'b'}} end
local s = cjson.encode(t) local u = cjson.decode(s) return {#s, #u, u[2000].name, cjson.encode(u) == s and 'same', redis.sha1hex(s)}
--- numbers lose digits
return cjson.encode({cjson.decode('1234567890123456789'), cjson.decode('0.123456789012345678')})
--- round trip
local s = '{"a":[1,2.5,-3],"b":"x\\ny","c":true,"d":null,"e":{"f":[]}}' return cjson.encode(cjson.decode(s))
--- encode_sparse_array
local t = {cjson.encode_sparse_array()} cjson.encode_sparse_array(true, 2, 3) local s = cjson.encode({[1000] = 1}) local u = {cjson.encode_sparse_array()} cjson.encode_sparse_array(false, 2, 10) return {tostring(t[1]), t[2], t[3], s, tostring(u[1]), u[2], u[3]}
--- encode_sparse_array ratio 0
cjson.encode_sparse_array(false, 0, 0) local s = #cjson.encode({[1000] = 1}) cjson.encode_sparse_array(false, 2, 10) return s
--- encode_sparse_array by names
local a = {cjson.encode_sparse_array('on', nil, 5)} local b = {cjson.encode_sparse_array('off', 3)} cjson.encode_sparse_array(false, 2, 10) return {tostring(a[1]), a[2], a[3], tostring(b[1]), b[2], b[3]}
--- encode_sparse_array wrong
return {pcall(cjson.encode_sparse_array, 'maybe'), pcall(cjson.encode_sparse_array, {}), pcall(cjson.encode_sparse_array, true, -1), pcall(cjson.encode_sparse_array, true, 2, 3, 4), pcall(cjson.encode_sparse_array, nil, 'x'), pcall(cjson.encode_sparse_array, false, 2, 10)}
--- encode_sparse_array wrong with a line
cjson.encode_sparse_array('maybe')
--- encode_max_depth
local old = cjson.encode_max_depth() cjson.encode_max_depth(3) local t = {pcall(cjson.encode, {{{}}}), pcall(cjson.encode, {{{{}}}})} cjson.encode_max_depth(old) return {old, t, cjson.encode_max_depth()}
--- decode_max_depth
local old = cjson.decode_max_depth() cjson.decode_max_depth(2) local t = {pcall(cjson.decode, '[[1]]'), pcall(cjson.decode, '[[[1]]]'), pcall(cjson.decode, '{"a":{"b":{}}}')} cjson.decode_max_depth(old) return {old, t}
--- depths wrong
return {pcall(cjson.encode_max_depth, 0), pcall(cjson.encode_max_depth, 'x'), pcall(cjson.encode_max_depth, 1, 2), pcall(cjson.decode_max_depth, -5), pcall(cjson.decode_max_depth, 2^31)}
--- depth wrong with a line
cjson.decode_max_depth(0)
--- encode_number_precision
local old = cjson.encode_number_precision() cjson.encode_number_precision(3) local s = cjson.encode({1/3, 123456, 1e10}) cjson.encode_number_precision(old) return {old, s, cjson.encode(1/3), pcall(cjson.encode_number_precision, 15), pcall(cjson.encode_number_precision, 0)}
--- encode_keep_buffer
return {tostring(cjson.encode_keep_buffer()), tostring(cjson.encode_keep_buffer(false)), cjson.encode({1}), tostring(cjson.encode_keep_buffer('on')), pcall(cjson.encode_keep_buffer, 'x')}
--- encode_invalid_numbers
local t = {tostring(cjson.encode_invalid_numbers()), tostring(cjson.encode_invalid_numbers(true)), cjson.encode({1/0, -1/0, 0/0, -(0/0)}), cjson.encode_invalid_numbers('null'), cjson.encode({1/0, 0/0}), tostring(cjson.encode_invalid_numbers('off'))}
t[#t + 1] = tostring(pcall(cjson.encode, 1/0)) return t
--- encode_invalid_numbers wrong
return {pcall(cjson.encode_invalid_numbers, 'x'), pcall(cjson.encode_invalid_numbers, 1)}
--- decode_invalid_numbers
local t = {tostring(cjson.decode_invalid_numbers()), tostring(cjson.decode_invalid_numbers(false))}
for _, s in ipairs({'0x10', '007', 'inf', 'nan', '-inf', '+1', '-', '1', '-1.5e3', '0', '0.5', '-0', '-01', '-0x1', 'NaN', 'Infinity', '1.'}) do local ok, e = pcall(cjson.decode, s) t[#t + 1] = s .. ' ' .. tostring(ok) .. ' ' .. tostring(e) end
cjson.decode_invalid_numbers(true) return t
--- new
local c = cjson.new() c.encode_max_depth(1) return {pcall(c.encode, {{}}), cjson.encode({{}}), c._NAME, c._VERSION, type(c.new), tostring(c.null == cjson.null), c.decode('[1]')}
--- fields
return {cjson._NAME, cjson._VERSION, type(cjson.null), type(cjson.encode)}
