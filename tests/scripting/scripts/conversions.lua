--- integer
return 42
--- integer cut toward zero
return {3.99, -3.99, 0.5, -0.5, 2^53, -2^53, 2^62, -2^63, 1e15 + 0.5}
--- integer out of range
return {1e300, -1e300, 2^63, 1/0, -1/0, 0/0}
--- string
return 'hello'
--- string of every byte
local t = {} for i = 0, 255 do t[#t + 1] = string.char(i) end return table.concat(t)
--- empty string
return ''
--- numeric string stays a string
return '42'
--- nothing
return
--- nil
return nil
--- no statement at all

--- comment only
-- nothing here
--- true
return true
--- false
return false
--- several values
return 1, 2, 3
--- empty table
return {}
--- array
return {1, 'two', {3, {4, {}}}}
--- nil ends an array
return {1, 2, nil, 4}
--- nil first
return {nil, 2}
--- trailing nil
return {1, 2, nil}
--- booleans in an array
return {true, false, true}
--- function, thread and null become nil
return {type(print_nothing == nil), 1}
--- a function
return function() end
--- a thread
return coroutine.create(function() end)
--- null
return cjson.null
--- unknown things in an array
return {function() end, cjson.null, coroutine.create(function() end), 1}
--- string keys are left out
return {1, 2, a = 3, b = 4}
--- only string keys
return {a = 1, b = 2}
--- holes in the middle by key
return {[1] = 'a', [2] = 'b', [4] = 'd'}
--- fractional and negative keys
return {[1.5] = 'x', [0] = 'zero', [-1] = 'minus', [1] = 'one'}
--- status
return {ok = 'FINE'}
--- status with newline
return {ok = 'a\r\nb\nc'}
--- status with zero byte
return {ok = 'ab\0cd'}
--- status empty
return {ok = ''}
--- status not a string
return {{ok = 1}, {ok = true}, {ok = {}}}
--- status number string
return {ok = '1'}
--- error
return {err = 'ERR mine'}
--- error without code
return {err = 'nocode'}
--- error with newlines
return {err = 'ERR a\r\nb\n'}
--- error of newlines
return {err = '\r\n'}
--- error with zero byte
return {err = 'ERR ab\0cd'}
--- error empty
return {err = ''}
--- error with dash
return {err = '-ERR dashed'}
--- error not a string
return {{err = 1}, {err = true}, {err = {}}}
--- error before ok
return {ok = 'OK', err = 'ERR both'}
--- errors and statuses nested
return {{ok = 'OK'}, {err = 'ERR inside'}, {{ok = 'deep'}}}
--- ok before double
return {ok = 'OK', double = 1}
--- doubles
return {{double = 1}, {double = 0.1}, {double = -0.0}, {double = 1e300}, {double = 1e-300}, {double = 3.0e15}}
--- doubles not finite
return {{double = 1/0}, {double = -1/0}, {double = 0/0}, {double = -(0/0)}}
--- double not a number
return {{double = '1.5'}, {double = {}}}
--- big number
return {{big_number = '123456789012345678901234567890'}, {big_number = '1\r\n2'}, {big_number = 12}}
--- big number with zero byte
return {big_number = '12\0 34'}
--- verbatim
return {verbatim_string = {format = 'txt', string = 'hello'}}
--- verbatim formats
return {{verbatim_string = {format = 't', string = 'a'}}, {verbatim_string = {format = '', string = 'a'}},
  {verbatim_string = {format = 'markdown', string = 'a\0b'}}}
--- verbatim incomplete
return {{verbatim_string = {format = 'txt'}}, {verbatim_string = {string = 'x'}}, {verbatim_string = 'x'},
  {verbatim_string = {format = 1, string = 2}}}
--- map
return {map = {a = 1}}
--- map of tables
return {map = {a = {1, 2}}}
--- map of numbers
return {map = {10, 20, 30}}
--- map empty
return {map = {}}
--- map not a table
return {map = 1}
--- set
return {set = {a = true}}
--- set of numbers
return {set = {true, true}}
--- set empty
return {set = {}}
--- map before set
return {map = {x = 1}, set = {y = true}}
--- metatables are not asked
return setmetatable({}, {__index = function(_, k) if k == 1 then return 'seen' end end})
--- metatables are not asked for ok
return setmetatable({1}, {__index = {ok = 'seen', err = 'seen'}})
--- tostring metamethod
return tostring(setmetatable({}, {__tostring = function() return 'mine' end}))
--- resp3 booleans; resp=3
redis.setresp(3) return {true, false}
--- resp3 client, resp2 script; resp=3
return {true, false, nil, 1}
--- resp3 client nil; resp=3
return nil
--- resp3 client false; resp=3
return false
--- resp3 client nested nil; resp=3
return {{}, {function() end}, cjson.null}
--- resp3 client doubles; resp=3
return {{double = 1}, {double = 0.1}, {double = 1/0}, {double = -1/0}, {double = 0/0}, {double = 1e22}}
--- resp3 client maps and sets; resp=3
return {{map = {a = 1}}, {set = {b = true}}, {map = {}}, {set = {}}, {map = {1, 2}}}
--- resp3 client special; resp=3
return {{big_number = '99'}, {verbatim_string = {format = 'txt', string = 'v'}}, {verbatim_string = {format = 'a', string = ''}}}
--- setresp and back; resp=3
redis.setresp(3) redis.setresp(2) return {true, false}
--- setresp from a resp2 client
redis.setresp(3) return {true, false, {double = 1.5}, {map = {a = 1}}, {set = {a = true}}}
--- setresp does not last
return {redis.call('hgetall', KEYS[1] or 'none'), true}
--- hash under resp2; keys=h
-- > HSET h f v g w
return redis.call('hgetall', KEYS[1])
--- hash under resp3; keys=h
-- > HSET h f v g w
redis.setresp(3) local m = redis.call('hgetall', KEYS[1]) return {m.map.f, m.map.g, m}
--- hash under resp3 to resp3; keys=h; resp=3
-- > HSET h f v
redis.setresp(3) return redis.call('hgetall', KEYS[1])
--- set under resp3; keys=s; resp=3
-- > SADD s 1 2 3
redis.setresp(3) local s = redis.call('smembers', KEYS[1]) return {s, s.set['1'], s.set['9']}
--- double under resp3; keys=z; resp=3
-- > ZADD z 1.5 a 2 b inf c
redis.setresp(3) local s = redis.call('zscore', KEYS[1], 'a')
return {s, s.double * 2, redis.call('zrange', KEYS[1], 0, -1, 'withscores')}
--- null under resp3
redis.setresp(3) local v = redis.call('get', 'none') return {type(v), tostring(v)}
--- null under resp2
local v = redis.call('get', 'none') return {type(v), tostring(v)}
--- null array under resp2
local v = redis.call('lpop', 'none', 2) return {type(v), tostring(v)}
--- null array under resp3
redis.setresp(3) local v = redis.call('lpop', 'none', 2) return {type(v), tostring(v)}
--- nulls in an array under resp2
-- > MSET a 1 c 3
return redis.call('mget', 'a', 'b', 'c')
--- nulls in an array under resp3
-- > MSET a 1 c 3
redis.setresp(3) local t = redis.call('mget', 'a', 'b', 'c') return {t[1], tostring(t[2]), t[3], t}
--- verbatim under resp3; resp=3
redis.setresp(3) return redis.call('lolwut', 'version', 1)
--- integer replies beyond 2^53
-- > SET n 9007199254740993
-- > SET m 9223372036854775806
return {redis.call('incr', 'n'), redis.call('incr', 'm'), redis.call('decr', 'm'), redis.call('get', 'm')}
--- negative integer reply
return redis.call('decr', 'n')
--- status reply is a table
local r = redis.call('set', 'a', 'b') return {type(r), r.ok, r}
--- status reply returned
return redis.call('set', 'a', 'b')
--- type reply
-- > RPUSH l 1
return {redis.call('type', 'l'), redis.call('type', 'none')}
--- error reply returned
-- > RPUSH l 1
return redis.pcall('get', 'l')
--- error reply as json
-- > RPUSH l 1
return cjson.encode(redis.pcall('get', 'l'))
--- numbers as arguments
return {redis.call('set', 'a', 1), redis.call('get', 'a'), redis.call('set', 'a', 1.5), redis.call('get', 'a'),
  redis.call('set', 'a', -0.0), redis.call('get', 'a'), redis.call('set', 'a', 1e15), redis.call('get', 'a'),
  redis.call('set', 'a', 1e17), redis.call('get', 'a'), redis.call('set', 'a', 2^53 + 2), redis.call('get', 'a'),
  redis.call('set', 'a', 0.1), redis.call('get', 'a'), redis.call('set', 'a', 1/0), redis.call('get', 'a'),
  redis.call('set', 'a', 0/0), redis.call('get', 'a'), redis.call('set', 'a', 123456789012), redis.call('get', 'a')}
--- binary arguments
local s = 'a\0b\r\n\255' redis.call('set', s, s) return {redis.call('get', s), #redis.call('get', s)}
--- long list reply
for i = 1, 3000 do redis.call('rpush', 'l', i) end
local t = redis.call('lrange', 'l', 0, -1) return {#t, t[1], t[3000], t}
--- large string reply
local s = string.rep('0123456789', 100000) redis.call('set', 'a', s) return {#redis.call('get', 'a'), redis.call('get', 'a')}
--- many arguments
local t = {} for i = 1, 4000 do t[i] = i end
return {redis.call('rpush', 'l', unpack(t)), redis.call('llen', 'l')}
--- nested replies
-- > XADD s 1-1 f v
-- > XADD s 2-1 g w h x
return redis.call('xrange', 's', '-', '+')
--- scan reply
-- > MSET a 1
return redis.call('scan', 0)
--- deep reply
local t = {} local u = t for i = 1, 100 do u[1] = {} u = u[1] end return t
