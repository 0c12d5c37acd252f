--- no arguments
return redis.call()
--- no arguments to pcall
return redis.pcall()
--- table argument
return redis.call({})
--- nil argument
return redis.call('get', nil)
--- boolean argument
return redis.call('set', 'a', true)
--- wrong argument to pcall
return redis.pcall('set', 'a', {})
--- wrong argument caught
return {pcall(redis.call, 'set', 'a', {})}
--- unknown command
return redis.call('nosuch', 'a')
--- unknown command, not a tail call
local x = redis.call('nosuch', 'a') return x
--- unknown command on a later line
local a = 1

return redis.call('nosuch', 'a')
--- unknown command to pcall
return redis.pcall('nosuch')
--- unknown subcommand
return redis.call('object', 'nosuch', 'x')
--- command with a number as its name
return redis.call(12, 'a')
--- empty command name
return redis.call('')
--- wrong arity
return redis.call('get')
--- wrong arity, too many
return redis.call('get', 'a', 'b')
--- wrong arity of a subcommand
return redis.call('object', 'encoding')
--- not from scripts
return redis.call('eval', 'return 1', 0)
--- not from scripts, pubsub
return redis.call('subscribe', 'x')
--- not from scripts, multi
return {redis.pcall('multi'), redis.pcall('watch', 'a'), redis.pcall('debug', 'sleep', 0), redis.pcall('auth', 'x')}
--- not from scripts, script
return {redis.pcall('script', 'flush'), redis.pcall('function', 'flush'), redis.pcall('config', 'get', 'x')}
--- case of command names
return {redis.call('SET', 'a', 1), redis.call('SeT', 'a', 2), redis.call('get', 'a')}
--- error of a command
-- > RPUSH l 1
return redis.call('get', 'l')
--- error of a command through a local
-- > RPUSH l 1
local call = redis.call
return call('get', 'l')
--- error of a command through an upvalue
-- > RPUSH l 1
local call = redis.call
local function get(key) return call('get', key) end
return get('l')
--- error of a command through an upvalue, not a tail call
-- > RPUSH l 1
local call = redis.call
local function get(key)
  local v = call('get', key)
  return v
end
local v = get('l')
return v
--- error of a command through a table of ours
-- > RPUSH l 1
local r = redis
return r.call('get', 'l')
--- error in a nested function
-- > RPUSH l 1
local function a() local x = redis.call('get', 'l') return x end
local function b() local x = a() return x end
return (b())
--- error of an integer command
-- > SET s abc
return redis.call('incr', 's')
--- error without a code word
-- > SET s abc
return {redis.pcall('incr', 's').err}
--- error then go on
-- > SET s abc
local r = redis.pcall('incr', 's') return {r.err, redis.call('get', 's'), type(r)}
--- pcall of call
-- > SET s abc
local ok, e = pcall(redis.call, 'incr', 's') return {tostring(ok), type(e), e}
--- pcall of a function with call
-- > SET s abc
local ok, e = pcall(function() return redis.call('incr', 's') end) return {tostring(ok), type(e), e}
--- pcall returns all results
return {select('#', pcall(function() return 1, nil, 3, nil end)), pcall(function() return 1, 2, 3 end)}
--- pcall of a thrown table
local ok, e = pcall(error, {err = 'MY error', more = 1}) return {tostring(ok), type(e), e}
--- pcall of a thrown table without err
local ok, e = pcall(error, {foo = 'bar'}) return {tostring(ok), type(e), e.foo}
--- pcall of a thrown table with a number err
local ok, e = pcall(error, {err = 5}) return {tostring(ok), type(e), e}
--- pcall of a thrown table with a table err
local ok, e = pcall(error, {err = {}}) return {tostring(ok), type(e)}
--- pcall of a thrown nil
local ok, e = pcall(error) return {tostring(ok), type(e)}
--- pcall of nothing callable
return {pcall(5)}
--- pcall of a runtime error
return {pcall(function() local x = nil return x.y end)}
--- pcall in pcall
return {pcall(pcall, error, 'x')}
--- rethrown
local ok, e = pcall(redis.call, 'nosuch') error(e)
--- rethrown table
local r = redis.pcall('nosuch') error(r)
--- xpcall with a handler
return {xpcall(function() error('x') end, function(e) return 'handled ' .. e end)}
--- xpcall sees the table
-- > SET s abc
return {xpcall(function() return redis.call('incr', 's') end, function(e) return type(e) .. e.err end)}
--- xpcall success
return {xpcall(function() return 1, 2 end, function() end)}
--- xpcall with the error handler of redis
return {xpcall(function() error('x') end, __redis__err__handler)}
--- xpcall with a failing handler
return {xpcall(function() error('x') end, function(e) error('y') end)}
--- xpcall without a handler
return {pcall(xpcall, function() end)}
--- the error handler called
return cjson.encode(__redis__err__handler({err = 'x'}).err)
--- thrown string
error('boom')
--- thrown string with level 0
error('boom', 0)
--- thrown string with level 2
local function f() error('boom', 2) end
local x = f()
return x
--- thrown string with level 2 at the top
error('boom', 2)
--- thrown number
error(12)
--- thrown nil
error(nil)
--- thrown boolean
error(true)
--- thrown table
error({err = 'MY code'})
--- thrown table with place
error({err = 'MY code', source = 'here', line = 7})
--- thrown table from an error reply
error(redis.error_reply('MY code'))
--- thrown string with newlines
error('a\r\nb')
--- thrown string with a zero byte
error('a\0b')
--- thrown in a loop
for i = 1, 3 do
  if i == 2 then
    error('at ' .. i)
  end
end
--- assert
assert(false, 'asserted')
--- assert without a message
assert(false)
--- assert with a table
assert(nil, {err = 'TAB le'})
--- assert passes values on
return {assert(1, 2, 3)}
--- runtime errors: index
local x = nil
return x.y
--- runtime errors: field
local x = {}
return x.y.z
--- runtime errors: call
local x = 5
x()
--- runtime errors: arithmetic
return 1 + {}
--- runtime errors: concatenation
return 'a' .. {}
--- runtime errors: comparison
return 1 < 'a'
--- runtime errors: comparison of tables
return {} < {}
--- runtime errors: for
for i = 1, 'x' do end
--- runtime errors: method
return ('x'):nosuch()
--- runtime errors: nil key
local t = {} t[nil] = 1
--- runtime errors: NaN key
local t = {} t[0/0] = 1
--- errors of C functions
return string.rep()
--- errors of C functions in a local
local rep = string.rep
local x = rep()
return x
--- errors of C functions in a tail call
return ('x'):rep({})
--- errors of a callback
table.sort({3, 1, 2}, function(a, b) error('in sort') end)
--- errors of a callback in gsub
return (string.gsub('abc', '.', function(c) error('in gsub ' .. c) end))
--- compile error
return +
--- compile error on a later line
local a = 1
local b = = 2
--- compile error: unfinished
if true then
--- compile error: too many locals
local t = {} for i = 1, 2 do local x end break
--- compile error: unknown escape passes
return '\q'
--- compile error: long string
return [[a
--- stack overflow
local function f() return 1 + f() end return f()
--- stack overflow caught
local function f() return 1 + f() end return {pcall(f)}
--- endless tail calls end
local function f(n) if n == 0 then return 'done' end return f(n - 1) end return f(200000)
--- tail calls between functions
local g
local function f(n) if n == 0 then return 'done' end return g(n - 1) end
function g(n) return f(n) end
return f(100000)
--- error_reply
return redis.error_reply('MY error')
--- error_reply without code
return redis.error_reply('single')
--- error_reply with dash
return redis.error_reply('-MY error')
--- error_reply with dash only
return redis.error_reply('-single')
--- error_reply empty
return {redis.error_reply(''), redis.error_reply('-'), redis.error_reply(' x'), redis.error_reply('- x')}
--- error_reply with newlines
return {redis.error_reply('A b\r\n'), redis.error_reply('A \r\nb'), redis.error_reply('A\r\n b'), redis.error_reply('\r\nA b')}
--- error_reply wrong
return {redis.error_reply(), redis.error_reply(1), redis.error_reply('a', 'b'), redis.error_reply({})}
--- error_reply as json
return cjson.encode(redis.error_reply('MY error'))
--- status_reply
return redis.status_reply('FINE')
--- status_reply wrong
return {redis.status_reply(), redis.status_reply(1), redis.status_reply('a', 'b')}
--- sha1hex
return {redis.sha1hex(''), redis.sha1hex('abc'), redis.sha1hex(123), redis.sha1hex({}), redis.sha1hex(nil), redis.sha1hex(0.1)}
--- sha1hex without argument
return redis.sha1hex()
--- sha1hex with two
return redis.sha1hex('a', 'b')
--- log
return {redis.log(redis.LOG_WARNING, 'a', 1, 2.5, nil, true, 'z'), redis.log(0, '')}
--- log numeric string level
redis.log('1', 'x') return 'ok'
--- log too few
return redis.log(redis.LOG_WARNING)
--- log wrong level
return {pcall(redis.log, 'x', 'y')}
--- log level out of range
return {pcall(redis.log, 4, 'y')} 
--- log negative level
redis.log(-1, 'y')
--- setresp wrong
return {pcall(redis.setresp), pcall(redis.setresp, 1), pcall(redis.setresp, 'x'), pcall(redis.setresp, 2, 3)}
--- setresp raises
redis.setresp(12)
--- setresp number string
redis.setresp('3') return {true}
--- set_repl
return {redis.set_repl(redis.REPL_ALL), redis.set_repl(redis.REPL_NONE), redis.set_repl(redis.REPL_AOF), redis.set_repl(redis.REPL_SLAVE)}
--- set_repl wrong
redis.set_repl(8)
--- set_repl negative
redis.set_repl(-1)
--- set_repl too few
redis.set_repl()
--- replicate_commands, breakpoint, debug
return {redis.replicate_commands(), redis.breakpoint(), redis.debug('x', 1), select('#', redis.debug())}
--- acl_check_cmd
return {redis.acl_check_cmd('get', 'a'), redis.acl_check_cmd('SET', 'a', 'b'), redis.acl_check_cmd('config|get', 'x')}
--- acl_check_cmd unknown
return redis.acl_check_cmd('nosuch')
--- acl_check_cmd nothing
return redis.acl_check_cmd()
--- acl_check_cmd table
return redis.acl_check_cmd({})
--- constants
return {redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING, redis.REPL_ALL, redis.REPL_NONE,
  redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}
--- unknown field of redis
return {type(redis.nosuch), type(redis.register_function)}
--- KEYS and ARGV; keys=a b; args=x y z
return {KEYS, ARGV, #KEYS, #ARGV}
--- keys only; keys=a b c
return {KEYS, ARGV}
--- one key; keys=a; args=x
return {KEYS[1], ARGV[1], KEYS[2], ARGV[2]}
--- arguments only; args=x y
return {KEYS, ARGV}
--- changed KEYS and ARGV; keys=a; args=x
KEYS[1] = 'changed' ARGV[2] = 'added' table.insert(KEYS, 'more') return {KEYS, ARGV}
--- KEYS assigned; keys=a
KEYS = {}
--- seven thousand arguments as a table
local t = {} for i = 1, 7000 do t[i] = 'v' .. i end return {select('#', unpack(t)), redis.call('rpush', 'l', unpack(t))}
--- too many to unpack
local t = {} for i = 1, 8000 do t[i] = i end return {pcall(unpack, t)}
--- first line with flags
#!lua flags=allow-stale,no-cluster
return 'ran'
--- first line and line numbers
#!lua

error('line 3')
--- first line with an unknown flag
#!lua flags=nosuch
return 1
--- first line with an unknown option
#!lua name=x
return 1
--- first line with empty flags
#!lua flags=
return 1
--- first line with spaces
#!lua   flags=no-writes   
return 1
--- first line with quotes
#!lua "flags=no-writes"
return redis.call('set', 'a', 1)
--- first line with quotes inside
#!lua flags="no-writes"
return redis.call('set', 'a', 1)
--- first line with bad quotes
#!lua "flags=no-writes
return 1
--- first line with quotes that go on
#!lua "flags"=no-writes
return 1
--- first line of another engine
#!python
return 1
--- first line with a space before the engine
#! lua
return 1
--- first line in capitals
#!LUA
return 1
--- read-only script writes
#!lua flags=no-writes
return redis.call('set', 'a', 1)
--- read-only script publishes
#!lua flags=no-writes
return redis.call('publish', 'a', 1)
--- read-only script reads
#!lua flags=no-writes
return redis.call('get', 'a')
--- read-only script sees its error
#!lua flags=no-writes
return redis.pcall('del', 'a')
--- select in a script
redis.call('select', 3) redis.call('set', 'x', 1) redis.call('select', 0) return redis.call('exists', 'x')
