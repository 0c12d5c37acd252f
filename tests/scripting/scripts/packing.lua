--- msgpack scalars
return {cmsgpack.pack(nil), cmsgpack.pack(true), cmsgpack.pack(false), cmsgpack.pack('a'), cmsgpack.pack(''), cmsgpack.pack(cjson.null), cmsgpack.pack(redis.call)}
--- msgpack integers
local t = {} for _, n in ipairs({0, 1, 127, 128, 255, 256, 65535, 65536, 2^31 - 1, 2^31, 2^32 - 1, 2^32, 2^53, 2^62, -1, -32, -33, -128, -129, -32768, -32769, -2^31, -2^31 - 1, -2^53, -2^63}) do t[#t + 1] = cmsgpack.pack(n) end return t
--- msgpack floats
local t = {} for _, n in ipairs({0.5, 1.5, 0.1, -0.1, 1e300, 2^63, 2^64, 1/0, -1/0, 1e-45, 1.1754943508222875e-38, 3.4028234663852886e38, 3.5e38, 1e-320, 5e-324, -0.0, 1/3}) do t[#t + 1] = cmsgpack.pack(n) end return t
--- msgpack NaN
return {cmsgpack.pack(0/0), cmsgpack.pack(-(0/0))}
--- msgpack strings
local t = {} for _, n in ipairs({0, 1, 31, 32, 33, 255, 256, 65535, 65536}) do local s = cmsgpack.pack(string.rep('x', n)) t[#t + 1] = s:sub(1, 6) t[#t + 1] = #s end return t
--- msgpack arrays
return {cmsgpack.pack({}), cmsgpack.pack({1, 2, 3}), cmsgpack.pack({{}, {1}}), cmsgpack.pack({1, nil, 3}), cmsgpack.pack({[1] = 1, [2] = 2})}
--- msgpack array sizes
local t = {} for _, n in ipairs({15, 16, 65535, 65536}) do local a = {} for i = 1, n do a[i] = 1 end local s = cmsgpack.pack(a) t[#t + 1] = s:sub(1, 6) t[#t + 1] = #s end return t
--- msgpack maps
return {cmsgpack.pack({a = 1}), cmsgpack.pack({[0] = 1}), cmsgpack.pack({[1.5] = 1}), cmsgpack.pack({[-1] = 1}), cmsgpack.pack({[true] = false}), cmsgpack.pack({['1'] = 1}), cmsgpack.pack({[2] = 1}), cmsgpack.pack({[{1}] = 2})}
--- msgpack map sizes
local t = {} for _, n in ipairs({15, 16, 70000}) do local a = {} for i = 1, n do a['k' .. i] = 1 end local s = cmsgpack.pack(a) t[#t + 1] = s:sub(1, 6) t[#t + 1] = #s end return t
--- msgpack map order
return cmsgpack.pack({one = 1, two = 2, three = 3, four = 4, five = {six = 6, seven = 7}})
--- msgpack several
return cmsgpack.pack(1, 'a', {1}, nil, true)
--- msgpack nested too deep
local t = {} local u = t for i = 1, 20 do u[1] = {} u = u[1] end return cmsgpack.pack(t)
--- msgpack circular
local t = {} t.a = t return cmsgpack.pack(t)
--- msgpack no arguments
return cmsgpack.pack()
--- unpack scalars
return {cmsgpack.unpack('\1\127\224\255\192\194\195'), cmsgpack.unpack('\161a'), cmsgpack.unpack('\160')}
--- unpack integers
local t = {} for _, s in ipairs({'\204\255', '\205\255\255', '\206\255\255\255\255', '\207\0\0\0\1\0\0\0\0', '\207\255\255\255\255\255\255\255\255', '\208\128', '\208\127', '\209\128\0', '\210\128\0\0\0', '\211\255\255\255\255\255\255\255\255', '\211\128\0\0\0\0\0\0\0', '\211\0\32\0\0\0\0\0\1'}) do t[#t + 1] = string.format('%.17g', cmsgpack.unpack(s)) end return t
--- unpack floats
local t = {} for _, s in ipairs({'\202\63\128\0\0', '\202\127\128\0\0', '\202\255\128\0\0', '\202\127\192\0\0', '\202\0\0\0\1', '\202\128\0\0\0', '\203\63\240\0\0\0\0\0\0', '\203\127\240\0\0\0\0\0\0', '\203\255\248\0\0\0\0\0\0', '\203\0\0\0\0\0\0\0\1', '\203\63\185\153\153\153\153\153\154'}) do t[#t + 1] = string.format('%.17g', cmsgpack.unpack(s)) end return t
--- unpack strings
return {cmsgpack.unpack('\217\3abc'), cmsgpack.unpack('\218\0\3abc'), cmsgpack.unpack('\219\0\0\0\3abc')}
--- unpack arrays and maps
return {cmsgpack.unpack('\147\1\2\3'), cmsgpack.unpack('\220\0\2\1\2'), cmsgpack.unpack('\221\0\0\0\1\5'), cmsgpack.unpack('\129\161a\1').a, cmsgpack.unpack('\222\0\1\1\161x'), cmsgpack.unpack('\223\0\0\0\1\1\2'), cmsgpack.unpack('\144'), cmsgpack.unpack('\128')}
--- unpack nil in an array
local t = cmsgpack.unpack('\147\1\192\3') return {t[1], t[2] == nil, t[3]}
--- unpack wrong
local t = {} for _, s in ipairs({'\193', '\196', '\199', '\212', '\204', '\205\1', '\206\1\2', '\207', '\208', '\202\1', '\203\1', '\161', '\217', '\217\5ab', '\218\0', '\219\255\255\255\255', '\145', '\129\1', '\220', '\221\255\255\255\255', '\222\0\1', '\129\192\1', '\147\1\2'}) do local ok, e = pcall(cmsgpack.unpack, s) t[#t + 1] = tostring(ok) .. ' ' .. tostring(e) end return t
--- unpack wrong with a line
return cmsgpack.unpack('\205\1')
--- unpack nil key
return cmsgpack.unpack('\129\192\1')
--- unpack empty
return {select('#', cmsgpack.unpack(''))}
--- unpack several
return {cmsgpack.unpack('\1\161a\144\195')}
--- unpack arguments
return {pcall(cmsgpack.unpack), pcall(cmsgpack.unpack, {}), pcall(cmsgpack.unpack, nil), cmsgpack.unpack(12)}
--- unpack_one
return {cmsgpack.unpack_one('\1\2\3'), cmsgpack.unpack_one('\1\2\3', 1), cmsgpack.unpack_one('\1\2\3', 2), cmsgpack.unpack_one('', 0)}
--- unpack_one walk
local s, o, t = cmsgpack.pack(1, 'two', {3}), 0, {} while o ~= -1 do local n, v = cmsgpack.unpack_one(s, o) t[#t + 1] = v o = n end return t
--- unpack_one wrong
return {pcall(cmsgpack.unpack_one, '\1', 2), pcall(cmsgpack.unpack_one, '\1', -1), pcall(cmsgpack.unpack_one), pcall(cmsgpack.unpack_one, '\1', 'x')}
--- unpack_limit
return {cmsgpack.unpack_limit('\1\2\3', 2), cmsgpack.unpack_limit('\1\2\3', 1, 1), cmsgpack.unpack_limit('\1\2\3', 9), cmsgpack.unpack_limit('\1\2\3', 0), cmsgpack.unpack_limit('\1\2\3', 0, 1)}
--- unpack_limit wrong
return {pcall(cmsgpack.unpack_limit, '\1'), pcall(cmsgpack.unpack_limit, '\1', 'x'), pcall(cmsgpack.unpack_limit, '\1', -1), pcall(cmsgpack.unpack_limit, '\1', 1, 5)}
--- msgpack round trip
local t = {a = 1, b = {1, 2, {c = 'x'}}, d = 1.5, e = true} local u = cmsgpack.unpack(cmsgpack.pack(t)) return {u.a, u.b[3].c, u.d * 10, tostring(u.e), cmsgpack.pack(u) == cmsgpack.pack(t) and 'same'}
--- msgpack too many values
return {pcall(cmsgpack.unpack, string.rep('\1', 9000))}
--- msgpack many values
return select('#', cmsgpack.unpack(string.rep('\1', 7900)))
--- msgpack fields
return {cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION}
--- msgpack from json
return cmsgpack.pack(cjson.decode('{"a":[1,2,null,true,"x"],"b":{"c":1.25}}'))
--- struct integers
local t = {} for _, f in ipairs({'b', 'B', 'h', 'H', 'l', 'L', 'T', 'i', 'I', 'i1', 'i3', 'I5', 'i8', 'I16', 'i32'}) do for _, e in ipairs({'<', '>', ''}) do t[#t + 1] = struct.pack(e .. f, 1) t[#t + 1] = struct.pack(e .. f, -2) end end return t
--- struct integer values
local t = {} for _, n in ipairs({0, 255, 256, -1, 2^31, 2^32, 2^53, 2^63, 2^64, -2^63, -2^64, 1.9, -1.9, 1/0, -1/0, 0/0, 1e300, '7', '0x10'}) do t[#t + 1] = struct.pack('>I8', n) t[#t + 1] = struct.pack('<i4', n) t[#t + 1] = struct.pack('>b', n) end return t
--- struct floats
local t = {} for _, n in ipairs({0, -0.0, 1, 1.5, 0.1, -1e300, 1e300, 1e-300, 1e-45, 5e-324, 1/0, -1/0, 0/0, -(0/0), 3.4028235677973366e38, 1.17549435e-38, 16777217}) do t[#t + 1] = struct.pack('>f', n) t[#t + 1] = struct.pack('<d', n) end return t
--- struct strings
return {struct.pack('s', 'abc'), struct.pack('c3', 'abcdef'), struct.pack('c0', 'abc'), struct.pack('c', 'abc'), struct.pack('ss', 'a', 'b'), struct.pack('s', 'a\0b'), struct.pack('s', '')}
--- struct padding and alignment
return {struct.pack('bxb', 1, 2), struct.pack('!4bi', 1, 2), struct.pack('!bi8', 1, 2), struct.pack('!2bi4', 1, 2), struct.pack('!8 b h i l d', 1, 2, 3, 4, 5), struct.pack('! b', 1), struct.pack('!1bl', 1, 2), struct.pack('!8bi3', 1, 2)}
--- struct order changes
return {struct.pack('>h<h', 1, 1), struct.pack('> h < h', 1, 1)}
--- struct sizes
local t = {} for _, f in ipairs({'b', 'h', 'i', 'l', 'f', 'd', 'x', 'T', 'i3', 'c5', 'c', '!8bd', 'bxh', '!4bhi', '', ' ', '<>', '!', 'z', 'q9', 'i0'}) do t[#t + 1] = struct.size(f) end return t
--- struct sizes wrong
return {pcall(struct.size, 's'), pcall(struct.size, 'c0'), pcall(struct.size), pcall(struct.size, '@'), pcall(struct.size, '!3'), pcall(struct.size, 'i33'), pcall(struct.size, {})}
--- struct size wrong with a line
return struct.size('s')
--- struct unpack integers
return {struct.unpack('>I2', '\1\2'), struct.unpack('<I2', '\1\2'), struct.unpack('>i2', '\255\254'), struct.unpack('b', '\200'), struct.unpack('B', '\200'), struct.unpack('>i3', '\255\255\254'), struct.unpack('>I3', '\255\255\254'), struct.unpack('>I8', '\255\255\255\255\255\255\255\255'), struct.unpack('>i8', '\255\255\255\255\255\255\255\255')}
--- struct unpack wide
return {struct.unpack('>i16', string.rep('\0', 15) .. '\5'), struct.unpack('<I16', '\5' .. string.rep('\0', 15)), struct.unpack('>i16', string.rep('\255', 16)), struct.unpack('>i9', '\1' .. string.rep('\0', 7) .. '\5')}
--- struct unpack floats
return {tostring(struct.unpack('>f', '\63\128\0\0')), tostring(struct.unpack('<d', '\0\0\0\0\0\0\240\63')), tostring(struct.unpack('>f', '\127\128\0\0')), tostring(struct.unpack('>f', '\255\192\0\0')), string.format('%.17g', (struct.unpack('>f', '\61\204\204\205')))}
--- struct unpack strings
return {struct.unpack('s', 'abc\0rest'), struct.unpack('c2', 'abcdef'), struct.unpack('bc0', '\3abcdef'), struct.unpack('sc0', '2\0abc'), struct.unpack('ss', 'a\0b\0')}
--- struct unpack several
return {struct.unpack('>bI2s', '\1\0\5hello\0tail')}
--- struct unpack position
return {struct.unpack('b', 'abc', 2), struct.unpack('b', 'abc', 3), struct.unpack('', 'abc', 2), struct.unpack('x', 'abc'), struct.unpack('!4bi', '\1\0\0\0\2\0\0\0')}
--- struct unpack wrong
local t = {} for _, a in ipairs({{'b', ''}, {'i', 'abc'}, {'b', 'abc', 4}, {'b', 'abc', 0}, {'b', 'abc', -1}, {'s', 'abc'}, {'c0', 'abc'}, {'bc0', '\9ab'}, {'bc0', '\255ab'}, {'c9', 'ab'}, {'z', 'ab'}, {'!3b', 'a'}, {'i40', 'a'}, {'b', 'abc', 99}, {'sc0', 'x\0'}, {'c99999999999', 'a'}}) do local ok, e = pcall(struct.unpack, unpack(a)) t[#t + 1] = tostring(ok) .. ' ' .. tostring(e) end return t
--- struct unpack wrong with a line
return struct.unpack('i', 'abc')
--- struct pack wrong
local t = {} for _, a in ipairs({{'b'}, {'b', 'x'}, {'s'}, {'s', {}}, {'c5', 'abc'}, {'z', 1}, {'!3i', 1}, {'i40', 1}, {'bb', 1}, {'f', 'x'}, {'d'}, {'i99999999999', 1}, {{}, 1}, {}}) do local ok, e = pcall(struct.pack, unpack(a)) t[#t + 1] = tostring(ok) .. ' ' .. tostring(e) end return t
--- struct pack wrong with a line
return struct.pack('>I2', 'x')
--- struct pack more values than options
return struct.pack('b', 1, 2, 3)
--- struct round trip
local s = struct.pack('<!8bhildfsc4', 1, -2, 3, -4, 5.5, 6.25, 'seven', 'eight') return {struct.unpack('<!8bhildfsc4', s)}
--- struct format ends at a zero byte
return {struct.pack('b\0b', 1, 2), struct.size('b\0l')}
--- bit operations
return {bit.band(12, 10), bit.bor(12, 10), bit.bxor(12, 10), bit.bnot(0), bit.bnot(5), bit.band(255, 15, 7), bit.bor(1, 2, 4, 8), bit.bxor(1, 3, 7), bit.band(5), bit.band(-1, 0xffffffff)}
--- bit conversions
local t = {} for _, n in ipairs({0, 1, -1, 2^31, 2^31 - 1, 2^32, 2^32 - 1, -2^31, -2^32, 2^40 + 5, 1.5, 2.5, 3.5, -1.5, -2.5, 0.5, 2^51, 2^52, 2^53, 2^53 + 2, -2^51, -2^52, -2^53, 2^62, 1e20, -1e20, 1e300, -1e300, 1/0, -1/0, 0/0, 4503599627370495.5, -4503599627370497}) do t[#t + 1] = bit.tobit(n) end return t
--- bit strings
return {bit.tobit('5'), bit.band('0xff', '15'), bit.tohex('255'), pcall(bit.tobit, 'x'), pcall(bit.band, 1, 'y')}
--- bit shifts
local t = {} for _, n in ipairs({0, 1, 4, 31, 32, 33, -1, 63}) do for _, f in ipairs({'lshift', 'rshift', 'arshift', 'rol', 'ror'}) do t[#t + 1] = bit[f](0x87654321, n) end end return t
--- bit shifts of negatives
return {bit.arshift(-256, 8), bit.rshift(-256, 8), bit.lshift(-1, 31), bit.rol(-2, 1), bit.ror(1, 1), bit.arshift(2^31, 31)}
--- bit bswap and tohex
return {bit.bswap(0x12345678), bit.bswap(-1), bit.tohex(1), bit.tohex(-1), bit.tohex(255, 2), bit.tohex(255, -2), bit.tohex(255, 0), bit.tohex(255, 8), bit.tohex(255, 100), bit.tohex(255, -100), bit.tohex(0xdeadbeef, -8), bit.tohex(1, 1.5)}
--- bit wrong
return {pcall(bit.band), pcall(bit.band, nil), pcall(bit.band, {}), pcall(bit.bnot), pcall(bit.lshift, 1), pcall(bit.lshift), pcall(bit.tohex), pcall(bit.tohex, 1, 'x'), pcall(bit.bswap, true), pcall(bit.tobit)}
--- bit wrong with a line
return bit.band(1, nil)
--- bit wrong through a local
local band = bit.band
local x = band({})
return x
