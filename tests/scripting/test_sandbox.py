"""What a script cannot get at, whatever it tries."""

import pytest

from scripting.manual import Bench

# Everything that can be reached from what a script sees: the types, and what is not from Lua itself.
WALK = """
local seen, types, count = {}, {}, 0
local function walk(value, path)
  if value == nil or seen[value] then return end
  seen[value] = true
  count = count + 1
  local kind = type(value)
  if kind == 'userdata' and value ~= cjson.null then types[#types + 1] = path end
  if kind == 'thread' then types[#types + 1] = path end
  walk(getmetatable(value), path .. '.mt')
  if kind == 'table' then
    for k, v in pairs(value) do walk(k, path .. '.key') walk(v, path .. '.' .. tostring(k)) end
    for k, v in next, value do walk(k, path .. '.key') walk(v, path .. '.' .. tostring(k)) end
  end
end
walk(_G, '_G') walk('', 'string') walk(cjson.null, 'null') walk(coroutine.running(), 'thread')
for _, f in ipairs({error, redis.call, cjson.decode, struct.pack}) do
  walk(select(2, pcall(f)), 'error')
  walk(select(2, coroutine.resume(coroutine.create(function() f() end))), 'error')
end
walk(redis.pcall('get', 'a'), 'reply')
types[#types + 1] = count > 100 and 'walked'
return types
"""


def test_nothing_of_python_can_be_reached() -> None:
    bench = Bench()
    assert bench.eval(WALK) == b"*1\r\n$6\r\nwalked\r\n"


# Each of these tries to leave something behind for other scripts, and then looks for it.
LEAVINGS = {
    "global": ("x = 1", "return rawget(_G, 'x')"),
    "rawset": ("rawset(_G, 'x', 1)", "return rawget(_G, 'x')"),
    "insert": ("table.insert(_G, 'x') table.insert(redis, 'x')", "return rawget(_G, 1) or redis[1]"),
    "library": ("string.x = 1", "return string.x"),
    "pairs": ("local _, t = pairs(_G) t.x = 1", "return rawget(_G, 'x')"),
    "pairs of a library": ("local _, t = pairs(string) t.x = 1", "return string.x or ('').x"),
    "next": ("local k, v = next(_G) if type(v) == 'table' then v.x = 1 end", "return rawget(_G, 'x')"),
    "metatable": ("getmetatable(_G).__index = function() return 1 end", "return rawget(_G, 'x')"),
    "metatable of strings": ("getmetatable('').__index.x = 1", "return ('').x"),
    "metatable of strings by pairs": (
        "local _, t = pairs(getmetatable('')) t.__index.x = 1",
        "return ('').x",
    ),
    "metatable of strings replaced": ("getmetatable('').__index = {x = 1}", "return ('').x"),
    "setmetatable": ("setmetatable(_G, {__index = {x = 1}})", "return rawget(_G, 'x')"),
    "setmetatable of a metatable": (
        "setmetatable(getmetatable(_G), {__index = {x = 1}})",
        "return rawget(_G, 'x')",
    ),
    "method": ("_G.x = 1", "return rawget(_G, 'x')"),
    "cjson": ("cjson.encode = nil cjson.new = nil", "return type(cjson.encode) == 'nil'"),
    "null": (
        "local mt = getmetatable(cjson.null) mt.__index = {x = 1}",
        "return pcall(function() return cjson.null.x end)",
    ),
    "loadstring": ("loadstring('x = 1')()", "return rawget(_G, 'x')"),
    "KEYS": ("KEYS.x = 1", "return KEYS.x"),
    "coroutine": ("coroutine.wrap(function() x = 1 end)()", "return rawget(_G, 'x')"),
    "error handler": ("__redis__err__handler = nil", "return type(__redis__err__handler) == 'nil'"),
}


@pytest.mark.parametrize(("leave", "look"), LEAVINGS.values(), ids=LEAVINGS.keys())
def test_scripts_leave_nothing_behind(leave: str, look: str) -> None:
    bench = Bench()
    bench.eval(leave)
    bench.eval(f"pcall(loadstring({leave!r}))")
    assert bench.eval(look) == b"$-1\r\n"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "debug",
            "os",
            "io",
            "package",
            "require",
            "module",
            "dofile",
            "loadfile",
            "print",
            "python",
            "newproxy",
        ),
        *("getfenv", "setfenv", "arg", "_ENV", "jit", "ffi"),
    ],
)
def test_what_could_leave_the_sandbox_is_not_there(name: str) -> None:
    bench = Bench()
    assert bench.eval(f"return type(rawget(_G, '{name}'))") == b"$3\r\nnil\r\n"
    wrong = f"Script attempted to access nonexistent global variable '{name}'".encode()
    assert wrong in bench.eval(f"return {name}")
    assert wrong in bench.eval(f"return loadstring('return {name}')()")
    assert wrong in bench.eval(f"return coroutine.wrap(loadstring('return {name}'))()")
    library = f"#!lua name=l\nredis.register_function('f', function() return {name} end)"
    bench.run(b"FUNCTION", b"LOAD", library.encode())
    assert wrong in bench.run(b"FCALL", b"f", b"0")


def test_byte_code_is_not_run() -> None:
    bench = Bench()
    script = "local f = loadstring(string.dump(function() return 1 end)) return type(f)"
    assert bench.eval(script) == b"$3\r\nnil\r\n"
    dump = (
        "local d = false return type(load(function() if not d then "
        "d = true return string.dump(function() end) end end))"
    )
    assert bench.eval(dump) == b"$3\r\nnil\r\n"
    assert bench.eval("\x1bLua").startswith(b"-ERR Error compiling script")


def test_functions_of_the_runtime_cannot_be_dumped() -> None:
    bench = Bench()
    for name in ("redis.call", "cjson.encode", "pairs", "pcall", "bit.band", "string.rep"):
        assert b"unable to dump given function" in bench.eval(f"return string.dump({name})")


def test_scripts_and_functions_share_no_state() -> None:
    bench = Bench()
    bench.run(
        b"FUNCTION",
        b"LOAD",
        b"#!lua name=l\nredis.register_function('f', function() return cjson.encode_max_depth(7) end)",
    )
    assert bench.run(b"FCALL", b"f", b"0") == b":7\r\n"
    assert bench.eval("return cjson.encode_max_depth()") == b":1000\r\n"


def test_a_library_keeps_its_own_state() -> None:
    bench = Bench()
    bench.run(
        b"FUNCTION",
        b"LOAD",
        b"#!lua name=l\nlocal n = 0\nredis.register_function('f', function() n = n + 1 return n end)",
    )
    assert [bench.run(b"FCALL", b"f", b"0") for _ in range(3)] == [b":1\r\n", b":2\r\n", b":3\r\n"]
