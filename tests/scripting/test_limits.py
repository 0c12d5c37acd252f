"""No script outlives its end, none takes more than it may, and the state it leaves serves the next one."""

import pytest

from respkv.scripting import ScriptLimits
from scripting.manual import Bench

MEMORY = 16 << 20
KILLED = b"-ERR Script killed by user with SCRIPT KILL..."

# All of these run for ever, and most try to survive being stopped.
ENDLESS = {
    "loop": "while true do end",
    "loop over commands": "while true do redis.call('get', 'x') end",
    "pcall": "while true do pcall(function() while true do end end) end",
    "pcall of pcall": "while true do pcall(pcall, pcall, function() while true do end end) end",
    "pcall of loadstring": "while true do pcall(loadstring('while true do end')) end",
    "xpcall": "while true do xpcall(function() while true do end end, function() end) end",
    "looping handler": (
        "xpcall(function() while true do end end, function() while true do end end) while true do end"
    ),
    "looping handler of an error": "xpcall(function() error('x') end, function() while true do end end)",
    "coroutine": "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "wrapped coroutine": "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "short coroutines": "while true do coroutine.wrap(function() for i = 1, 90000 do end end)() end",
    "short coroutines caught": (
        "while true do pcall(function() coroutine.wrap(function() for i = 1, 9e4 do end end)() end) end"
    ),
    "yielding coroutine": (
        "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end"
    ),
    "sort": (
        "local t = {} for i = 1, 9 do t[i] = i end while true do "
        "pcall(table.sort, t, function(a, b) while true do end end) end"
    ),
    "gsub": "while true do pcall(string.gsub, 'abc', '.', function() while true do end end) end",
    "metamethods": (
        "local t = setmetatable({}, {__index = function() while true do "
        "end end}) while true do pcall(function() return t.x end) end"
    ),
    "thrown table": ("local t = setmetatable({}, {__newindex = function() while true do end end}) error(t)"),
    "tostring": "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "load": "while true do load(function() while true do end end) end",
    "load of pieces": "while true do load(function() return ' ' end) end",
    "tail calls": "local function f() return f() end f()",
    "tail calls caught": "local function f() return pcall(f) end while true do f() end",
    "collect": "while true do collectgarbage() end",
    "long native calls": "local s = string.rep('x', 2^18) while true do s:find('y', 1, true) end",
    "foreach": "while true do pcall(table.foreach, {1}, function() while true do end end) end",
    "json": "local s = '[' .. string.rep('1,', 1000) .. '1]' while true do cjson.decode(s) end",
}


def endless(text: str) -> str:
    """The script, which must not come to its end."""
    return text + " return 'survived'"


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_killed_script_ends(text: str) -> None:
    bench = Bench(ScriptLimits(memory_bytes=MEMORY, busy_after_ms=5))
    bench.host.step_ns = 1_000_000
    answers = []
    bench.host.on_busy = lambda: answers.append(bench.room.kill(True))
    reply = bench.eval(endless(text))
    if text == ENDLESS["thrown table"]:
        assert reply.startswith(b"-ERR")
    else:
        assert reply.startswith((KILLED, b"-ERR Error running script")), reply
        assert answers[-1] == b"+OK\r\n"
    assert bench.eval("return 'next'") == b"$4\r\nnext\r\n"


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
def test_instructions_end_a_script(text: str) -> None:
    bench = Bench(ScriptLimits(memory_bytes=MEMORY, instructions=1_000_000))
    reply = bench.eval(endless(text))
    assert reply.startswith(b"-ERR")
    assert b"survived" not in reply
    assert bench.eval("return 'next'") == b"$4\r\nnext\r\n"


def test_the_place_of_the_kill_is_told() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=1))
    bench.host.step_ns = 1_000_000
    answers: list[bytes] = []
    bench.host.on_busy = lambda: answers.append(bench.room.kill(True))
    reply = bench.eval("local x = 1\nwhile true do\n end")
    assert reply.startswith(KILLED + b" script: ")
    assert reply.endswith((b", on @user_script:2.\r\n", b", on @user_script:3.\r\n"))


def test_a_busy_script_is_announced_once_and_may_go_on() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=10))
    bench.host.step_ns = 1_000_000
    seen = []
    bench.host.on_busy = lambda: seen.append((bench.room.is_busy, bench.room.busy_error))
    assert bench.eval("for i = 1, 3e6 do end return 'done'") == b"$4\r\ndone\r\n"
    assert seen and all(
        busy and error.startswith(b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL")
        for busy, error in seen
    )
    assert bench.host.busy_count == len(seen) > 5
    assert [level for level, text in bench.host.logged if text.startswith(b"Slow script detected")] == [3]
    assert not bench.room.is_busy


def test_a_busy_script_asks_no_more_than_once_a_millisecond() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=1))
    bench.host.step_ns = 100_000
    bench.eval("for i = 1, 3e6 do end")
    assert 5 < bench.host.busy_count <= bench.host.now_ns // 1_000_000


def test_a_reply_is_written_whole() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=1))
    # The clock jumps when the script is done: writing its reply takes long, but nothing is left to stop.
    bench.host.on_call = lambda argv: setattr(bench.host, "step_ns", 10**12)
    bench.host.on_busy = lambda: answers.append(bench.room.kill(True))
    answers: list[bytes] = []
    reply = bench.eval(
        "local t = {} for i = 1, 1000 do t[i] = i end redis.call('get', 'a') return {t, t, t, t, t}"
    )
    assert reply.startswith(b"*5\r\n*1000\r\n:1\r\n") and answers == []


def test_other_commands_are_told_to_wait() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=1))
    bench.host.step_ns = 1_000_000
    answers: list[bytes] = []

    def ask() -> None:
        for command in (b"SCRIPT FLUSH", b"FUNCTION LIST", b"SCRIPT LOAD x", b"EVAL x 0", b"SCRIPT EXISTS x"):
            answers.append(bench.run(*command.split()))

    bench.host.on_busy = ask
    assert bench.eval("for i = 1, 1e6 do end return 'done'") == b"$4\r\ndone\r\n"
    assert answers and all(answer.startswith(b"-BUSY") for answer in answers)


def test_a_script_that_has_written_cannot_be_killed() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=1))
    bench.host.step_ns = 1_000_000
    answers = []
    bench.host.on_busy = lambda: answers.append(bench.room.kill(True))
    assert bench.eval("redis.call('set', 'a', 'b') for i = 1, 1e6 do end return 1") == b":1\r\n"
    assert answers and all(answer.startswith(b"-UNKILLABLE") for answer in answers)


def test_a_function_is_killed_as_a_function() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=1))
    bench.host.step_ns = 1_000_000
    assert bench.run(
        b"FUNCTION", b"LOAD", b"#!lua name=l\nredis.register_function('f', function() while true do end end)"
    )
    answers = []

    def kill() -> None:
        answers.append(bench.room.kill(True))
        answers.append(bench.run(b"FUNCTION", b"STATS"))
        answers.append(bench.run(b"FUNCTION", b"KILL"))

    bench.host.on_busy = kill
    reply = bench.run(b"FCALL", b"f", b"1", b"key")
    assert reply == KILLED + b" script: f, on @user_function:2.\r\n"
    assert answers[0].startswith(b"-BUSY Redis is busy running a script. You can only call FUNCTION KILL")
    assert b"$5\r\nFCALL\r\n$1\r\nf\r\n$1\r\n1\r\n$3\r\nkey\r\n$11\r\nduration_ms\r\n:" in answers[1]
    assert answers[2] == b"+OK\r\n"


def test_statistics_of_functions_while_a_script_runs() -> None:
    bench = Bench(ScriptLimits(busy_after_ms=1))
    bench.host.step_ns = 1_000_000
    answers = []
    bench.host.on_busy = lambda: answers.append(bench.run(b"FUNCTION", b"STATS"))
    bench.eval("for i = 1, 1e6 do end")
    assert answers and answers[0].startswith(b"-BUSY")


def test_loading_a_library_takes_no_longer_than_it_may() -> None:
    bench = Bench(ScriptLimits(load_ms=50))
    bench.host.step_ns = 1_000_000
    reply = bench.run(b"FUNCTION", b"LOAD", b"#!lua name=l\nwhile true do end")
    assert reply == b"-ERR Error registering functions: ERR FUNCTION LOAD timeout\r\n"
    assert bench.run(b"FUNCTION", b"KILL").startswith(b"-NOTBUSY")


def test_no_run_within_a_run() -> None:
    bench = Bench()
    bench.host.on_call = lambda argv: answers.append(bench.run(b"EVAL", b"return 1", b"0"))
    answers: list[bytes] = []
    assert bench.eval("return redis.call('get', 'a')") == b"+OK\r\n"
    assert answers[0].startswith(b"-BUSY")


# ---- memory ----------------------------------------------------------------------------------------------

HUNGRY = {
    "doubled string": "local s = 'x' while true do s = s .. s end",
    "table": "local t = {} for i = 1, 1e9 do t[i] = i end",
    "hash": "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
    "rep": "return #string.rep('x', 2^30)",
    "closures": "local t = {} while true do t[#t + 1] = function() return t end end",
    "coroutines": "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "concat": (
        "local t = {} for i = 1, 1e4 do t[i] = string.rep('x', "
        "1000) end while true do t[1] = table.concat(t) end"
    ),
    "json": (
        "local t = {} for i = 1, 1e4 do t[i] = string.rep('x', "
        "1000) end while true do t[1] = cjson.encode(t) end"
    ),
    "result": "local s, t = string.rep('x', 2^20), {} for i = 1, 100 do t[i] = s end return t",
    "gsub": "return (string.gsub(string.rep('x', 2^20), 'x', string.rep('y', 2^10)))",
    "code": (
        "local t = {} while true do t[#t + 1] = loadstring('local a, b, c = 1, 2, 3 return a + b + c') end"
    ),
    "kept error": "local s = string.rep('x', 2^22) error(s .. s .. s)",
}


@pytest.mark.parametrize("text", HUNGRY.values(), ids=HUNGRY.keys())
def test_memory_ends_a_script(text: str) -> None:
    bench = Bench(ScriptLimits(memory_bytes=MEMORY))
    for _ in range(2):
        reply = bench.eval(text)
        assert reply.startswith(b"-"), reply[:100]
        assert b"memory" in reply or text == HUNGRY["kept error"]
        assert bench.eval("return 'next'") == b"$4\r\nnext\r\n"


def test_a_script_may_use_most_of_the_memory_again_and_again() -> None:
    bench = Bench(ScriptLimits(memory_bytes=MEMORY))
    for _ in range(20):
        assert (
            bench.eval("local t = {} for i = 1, 100000 do t[i] = 'value ' .. i end return #t")
            == b":100000\r\n"
        )


# Fills memory in ever smaller pieces, then calls something many times that has to cross into the host, or
# allocates in the runtime. What matters is that the process lives, and that errors are errors.
AT_THE_EDGE = """
local t, failed, seen = {}, 0, 'none'
local big = {} for i = 1, 3000 do big[i] = i end
local fills = {
  function() while true do t[#t + 1] = string.rep('x', 1000) .. #t end end,
  function() while true do t[#t + 1] = #t .. 'y' end end,
  function() while true do t[#t + 1] = {} end end,
}
local function call() return %s end
local function loop()
  for i = 1, 100 do
    local ok, e = pcall(call)
    if not ok then failed = failed + 1 if type(e) == 'string' then seen = e end end
  end
end
for _, fill in ipairs(fills) do pcall(fill) end
pcall(loop)
t = nil
collectgarbage()
return {failed, seen}
"""
CALLS = [
    "redis.call('get', 'x')",
    "redis.pcall('get', 'x')",
    "redis.call('get', 5)",
    "redis.call({}, {})",
    "redis.call('set', unpack(big))",
    "redis.call('nosuch')",
    "redis.sha1hex('abc')",
    "redis.log(3, 'x')",
    "redis.acl_check_cmd('get', 'x')",
    "redis.error_reply('x')",
    "bit.band(5, 3)",
    "bit.tohex(5)",
    "cjson.encode({1, 2})",
    "cjson.decode('[1, 2, 3]')",
    "cmsgpack.pack(1, 'a', 1.5)",
    "cmsgpack.unpack('\\\\147\\\\1\\\\2\\\\3')",
    "struct.pack('I4s', 5, 'x')",
    "loadstring('return redis.call')()",
    "coroutine.wrap(function() return redis.call('get', 'x') end)()",
    "pairs(_G)",
    "error('x')",
    "math.random()",
]


@pytest.mark.parametrize("call", CALLS)
def test_nothing_breaks_at_the_edge(call: str) -> None:
    bench = Bench(ScriptLimits(memory_bytes=8 << 20))
    bench.host.reply = b"$1000\r\n%s\r\n" % (b"x" * 1000)
    reply = bench.eval(AT_THE_EDGE % call)
    assert reply.startswith((b"*2\r\n", b"-")), reply
    assert bench.eval("return 'next'") == b"$4\r\nnext\r\n"


def test_a_reply_that_does_not_fit_is_an_error_of_the_command() -> None:
    bench = Bench(ScriptLimits(memory_bytes=MEMORY))
    bench.host.reply = b"$%d\r\n%s\r\n" % (2 * MEMORY, b"x" * 2 * MEMORY)
    assert bench.eval("return redis.pcall('get', 'x').err").endswith(
        b"\r\nOOM The reply does not fit into the memory of scripts\r\n"
    )
    bench.host.reply = b"$%d\r\n%s\r\n" % (MEMORY // 4, b"x" * (MEMORY // 4))
    assert bench.eval("for i = 1, 50 do local s = redis.call('get', 'x') end return 1") == b":1\r\n"


def test_arguments_that_do_not_fit_are_refused() -> None:
    bench = Bench(ScriptLimits(memory_bytes=MEMORY))
    for arguments in ([b"x" * 2 * MEMORY], [b"x" * 2000] * 20_000):
        assert bench.eval("return #ARGV", *arguments).startswith(b"-OOM")
        assert bench.eval("return {KEYS, ARGV}") == b"*2\r\n*0\r\n*0\r\n"
    assert bench.eval("return #ARGV", *[b"x" * 200] * 20_000) == b":20000\r\n"
    assert bench.eval("return #ARGV[1]", b"x" * (MEMORY // 4)) == b":%d\r\n" % (MEMORY // 4)


def test_a_script_that_does_not_fit_is_refused() -> None:
    bench = Bench(ScriptLimits(memory_bytes=MEMORY))
    assert bench.eval("return '" + "x" * MEMORY + "'").startswith(b"-OOM")
    assert bench.eval("return {" + "'a'," * 2_000_000 + "}").startswith(b"-")
    assert bench.eval("return 1") == b":1\r\n"


# ---- the cache -------------------------------------------------------------------------------------------


def shas(bench: Bench, numbers: range) -> bytes:
    """Which of the scripts that return these numbers are known."""
    loaded = Bench()
    names = [loaded.run(b"SCRIPT", b"LOAD", b"return %d" % n)[5:45] for n in numbers]
    reply = bench.run(b"SCRIPT", b"EXISTS", *names)
    return b"".join(reply.split(b"\r\n")[1:]).replace(b":", b"")


def test_the_cache_is_bounded() -> None:
    bench = Bench(ScriptLimits(scripts=10))
    for number in range(100):
        assert bench.eval(f"return {number}") == b":%d\r\n" % number
    assert bench.room.scripts.count == 10
    assert shas(bench, range(86, 100)) == b"00001111111111"
    memory = bench.room.scripts.memory_used
    for number in range(5000):
        bench.eval(f"return {number}")
    assert bench.room.scripts.memory_used < memory + (1 << 20)


def test_what_runs_stays_and_what_was_loaded_stays_longer() -> None:
    bench = Bench(ScriptLimits(scripts=10))
    bench.run(b"SCRIPT", b"LOAD", b"return 0")
    bench.eval("return 1")
    bench.run(b"SCRIPT", b"LOAD", b"return 1")
    for number in range(2, 40):
        bench.eval("return 2")
        bench.eval(f"return {number}")
    assert shas(bench, range(4)) == b"1110"
    for number in range(100, 140):
        bench.run(b"SCRIPT", b"LOAD", b"return %d" % number)
    assert bench.room.scripts.count == 10
    assert shas(bench, range(130, 140)) == b"1" * 10


def test_the_cache_is_bounded_in_bytes() -> None:
    bench = Bench(ScriptLimits(script_bytes=100_000))
    for number in range(30):
        bench.eval(f"return {number} -- {'x' * 10_000}")
    assert bench.room.scripts.count == 9
    assert bench.eval("return 1 -- " + "x" * 200_000) == b":1\r\n"
    assert bench.room.scripts.count == 1
    assert bench.eval("return 1") == b":1\r\n"
