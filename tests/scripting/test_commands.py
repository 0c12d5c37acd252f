"""EVAL, SCRIPT, FCALL and FUNCTION themselves: programs of commands, run by redis-server and by the room."""

import re

import pytest

from harness.wire import Argument
from respkv.scripting import payload
from scripting.twin import Twin

SHA_OF_1 = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
LIBRARY = "#!lua name=lib\nredis.register_function('f', function(keys, args) return {keys, args} end)"
OTHER = "#!lua name=other\nredis.register_function('g', function() return 'other' end)"


def library(body: str, name: str = "lib") -> str:
    """A library's code."""
    return f"#!lua name={name}\n{body}"


def registered(table: str) -> str:
    """A library that registers a function by a table of arguments."""
    return library(f"redis.register_function{{{table}}}")


FLAGGED = """#!lua name=flagged
redis.register_function{
  FUNCTION_NAME='ro', Callback=function() return redis.call('set', 'a', 1) end,
  flags={'NO-WRITES', 'allow-stale', 'allow-oom', 'no-cluster', 'allow-cross-slot-keys'}
}"""

MANY = """#!lua name=lib
local function helper(x) return x * 2 end
local count = 0
local add = redis.register_function
add('twice', function(keys, args) return helper(tonumber(args[1])) end)
add('count', function() count = count + 1 return count end)
add('global', function() return foo end)
add('assign', function() foo = 1 end)
add('keys', function() return KEYS end)
add('fails', function() return redis.call('nosuch') end)
add('raises', function() error('mine', 2) end)
add('registers', function() return redis.register_function end)
add('late', function() redis.register_function('x', error) end)
add('later', function() add('x', error) end)
add('libs', function() return {cjson.encode({1}), bit.band(6, 3), #redis.sha1hex('')} end)
add('three', function() redis.setresp(3) return redis.call('hgetall', 'none') end)
add('handler', function() return __redis__err__handler end)
add('debugs', function() return {redis.breakpoint, redis.debug} end)
"""

EVALS: list[tuple[Argument, ...]] = [
    ("EVAL",),
    ("EVAL", "return 1"),
    ("EVAL", "return 1", "x"),
    ("EVAL", "return 1", "1.0"),
    ("EVAL", "return 1", " 1"),
    ("EVAL", "return 1", "01"),
    ("EVAL", "return 1", "-0"),
    ("EVAL", "return 1", ""),
    ("EVAL", "return 1", -1),
    ("EVAL", "return 1", 1),
    ("EVAL", "return 1", 2**63 - 1),
    ("EVAL", "return 1", 2**63),
    ("EVAL", "return 1", -(2**63)),
    ("EVAL", "return 1", -(2**63) - 1),
    ("eval", "return {#KEYS,#ARGV}", 300, *range(301)),
    ("EVAL", "return {#KEYS,#ARGV}", 0, *range(1000)),
    ("EvAl", "return KEYS", 300, *range(300)),
    ("EVAL", "return {KEYS[1],KEYS[2],ARGV[1]}", 2, "a", "b", "c" * 600_000),
    ("EVAL", "x x", 1),
    ("EVALSHA",),
    ("EVALSHA", "abc", 0),
    ("EVALSHA", "abc", "x"),
    ("EVALSHA", SHA_OF_1, 0),
    ("EVALSHA", SHA_OF_1, "x"),
    ("EVAL", "return 1", 0),
    ("EVALSHA", SHA_OF_1, 0),
    ("EVALSHA", SHA_OF_1.upper(), 0),
    ("EVALSHA_RO", SHA_OF_1, 0),
    ("EVALSHA", SHA_OF_1, 1),
    ("EVALSHA", SHA_OF_1 + "0", 0),
    ("EVAL_RO", "return redis.call('set', 'a', 1)", 0),
    ("EVAL_RO", "return redis.call('get', 'a')", 0),
    ("EVAL_RO", "#!lua\nreturn 1", 0),
    ("EVAL_RO", "#!lua flags=no-writes\nreturn 1", 0),
    ("EVAL_RO", "return redis.pcall('publish', 'a', 'b')", 0),
    ("SCRIPT",),
    ("SCRIPT", "nosuch"),
    ("SCRIPT", "nosuch", "more"),
    ("SCRIPT", "HELP"),
    ("SCRIPT", "HELP", "x"),
    ("SCRIPT", "LOAD"),
    ("SCRIPT", "LOAD", "return 2"),
    ("SCRIPT", "LOAD", "return 2"),
    ("SCRIPT", "LOAD", "return 2", "x"),
    ("script", "load", "x x"),
    ("SCRIPT", "LOAD", "#!lua flags=nosuch\nreturn 1"),
    ("SCRIPT", "LOAD", ""),
    ("SCRIPT", "EXISTS"),
    ("SCRIPT", "EXISTS", SHA_OF_1, SHA_OF_1.upper(), "x", ""),
    ("SCRIPT", "KILL"),
    ("SCRIPT", "KILL", "x"),
    ("SCRIPT", "DEBUG"),
    ("SCRIPT", "DEBUG", "no"),
    ("SCRIPT", "DEBUG", "x"),
    ("SCRIPT", "FLUSH", "x"),
    ("SCRIPT", "FLUSH", "sync", "async"),
    ("SCRIPT", "EXISTS", SHA_OF_1),
    ("SCRIPT", "FLUSH", "async"),
    ("SCRIPT", "EXISTS", SHA_OF_1),
    ("EVALSHA", SHA_OF_1, 0),
    ("SCRIPT", "FLUSH", "SYNC"),
    ("SCRIPT", "FLUSH"),
]

FUNCTIONS: list[tuple[Argument, ...]] = [
    ("FUNCTION",),
    ("FUNCTION", "nosuch"),
    ("FUNCTION", "HELP"),
    ("FUNCTION", "STATS"),
    ("FUNCTION", "LIST"),
    ("FUNCTION", "DUMP"),
    ("FUNCTION", "LOAD"),
    ("FUNCTION", "LOAD", LIBRARY),
    ("FUNCTION", "LOAD", LIBRARY),
    ("FUNCTION", "LOAD", "replace", LIBRARY),
    ("FUNCTION", "LOAD", "REPLACE", "replace", LIBRARY),
    ("FUNCTION", "LOAD", "nosuch", LIBRARY),
    ("FUNCTION", "LOAD", LIBRARY, "REPLACE"),
    ("FUNCTION", "STATS"),
    ("FUNCTION", "LIST"),
    ("FUNCTION", "LIST", "WITHCODE"),
    ("FUNCTION", "LIST", "withcode", "LibraryName", "L*"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "x*"),
    ("FUNCTION", "LIST", "LIBRARYNAME"),
    ("FUNCTION", "LIST", "WITHCODE", "WITHCODE"),
    ("FUNCTION", "LIST", "nosuch"),
    ("FUNCTION", "DUMP"),
    ("FUNCTION", "DUMP", "x"),
    ("FCALL",),
    ("FCALL", "f"),
    ("FCALL", "f", 0),
    ("fcall", "F", 1, "k", "a", "b"),
    ("FCALL", "f", 3, "k"),
    ("FCALL", "f", "x"),
    ("FCALL", "f", -1),
    ("FCALL", "nosuch", 0),
    ("FCALL", "nosuch", "x"),
    ("FCALL", "f", 2, *range(600)),
    ("FCALL_RO", "f", 0),
    ("FUNCTION", "LOAD", library("redis.register_function('f', function() return 1 end)", "thief")),
    ("FUNCTION", "LOAD", library("redis.register_function('F', function() return 1 end)", "thief")),
    ("FUNCTION", "LOAD", "local x"),
    ("FUNCTION", "LOAD", ""),
    ("FUNCTION", "LOAD", "#!lua name=lib2"),
    ("FUNCTION", "LOAD", "#!lua\n"),
    ("FUNCTION", "LOAD", "#!lua name=\nx"),
    ("FUNCTION", "LOAD", "#!lua name=a.b\nx"),
    ("FUNCTION", "LOAD", "#!lua name=a name=b\nx"),
    ("FUNCTION", "LOAD", "#!lua foo=a\nx"),
    ("FUNCTION", "LOAD", "#!lua name=a foo\nx"),
    ("FUNCTION", "LOAD", "#!js name=a\nx"),
    ("FUNCTION", "LOAD", "#! name=a\nx"),
    ("FUNCTION", "LOAD", '#!lua name="a\nx'),
    ("FUNCTION", "LOAD", '#!LUA NAME="caps"\nredis.register_function("caps", function() return 1 end)'),
    ("FCALL", "CAPS", 0),
    ("FUNCTION", "DELETE", "caps"),
    ("FUNCTION", "LOAD", library("x x")),
    ("FUNCTION", "LOAD", library("x x", "new")),
    ("FUNCTION", "LOAD", library("return 1", "new")),
    ("FUNCTION", "LOAD", library("foo = 1", "new")),
    ("FUNCTION", "LOAD", library("local x = foo", "new")),
    ("FUNCTION", "LOAD", library("local x = string.rep", "new")),
    ("FUNCTION", "LOAD", library("error('x')", "new")),
    ("FUNCTION", "LOAD", library("redis.call('get', 'a')", "new")),
    ("FUNCTION", "LOAD", library("redis.foo = 1", "new")),
    ("FUNCTION", "LOAD", library("local x = 1 + {}", "new")),
    ("FUNCTION", "LOAD", library("redis.log(redis.LOG_WARNING, 'x', redis.REDIS_VERSION)", "new")),
    ("FUNCTION", "LOAD", library("redis.register_function()", "new")),
    ("FUNCTION", "LOAD", library("redis.register_function(1, 2, 3)", "new")),
    ("FUNCTION", "LOAD", library("redis.register_function('x')", "new")),
    ("FUNCTION", "LOAD", library("redis.register_function({}, function() end)", "new")),
    ("FUNCTION", "LOAD", library("redis.register_function('x', 1)", "new")),
    ("FUNCTION", "LOAD", library("redis.register_function('a b', function() end)", "new")),
    ("FUNCTION", "LOAD", library("redis.register_function('', function() end)", "new")),
    (
        "FUNCTION",
        "LOAD",
        library("local g = function() end\nfor i = 1, 2 do redis.register_function('x', g) end", "n"),
    ),
    ("FUNCTION", "LOAD", registered("function_name='x'")),
    ("FUNCTION", "LOAD", "REPLACE", registered("function_name='x'")),
    ("FUNCTION", "LOAD", "REPLACE", registered("callback=function() end")),
    ("FUNCTION", "LOAD", "REPLACE", registered("function_name={}, callback=function() end")),
    ("FUNCTION", "LOAD", "REPLACE", registered("function_name='x', callback=1")),
    ("FUNCTION", "LOAD", "REPLACE", registered("function_name='x', callback=function() end, description={}")),
    ("FUNCTION", "LOAD", "REPLACE", registered("function_name='x', callback=function() end, flags=1")),
    (
        "FUNCTION",
        "LOAD",
        "REPLACE",
        registered("function_name='x', callback=function() end, flags={'nosuch'}"),
    ),
    ("FUNCTION", "LOAD", "REPLACE", registered("function_name='x', callback=function() end, flags={{}}")),
    ("FUNCTION", "LOAD", "REPLACE", registered("function_name='x', callback=function() end, foo=1")),
    ("FUNCTION", "LOAD", "REPLACE", registered("[{}]=1")),
    ("FUNCTION", "LOAD", "REPLACE", registered("[1]=1")),
    ("FCALL", "f", 0),
    (
        "FUNCTION",
        "LOAD",
        "REPLACE",
        registered("function_name='f', callback=function() return 'new' end, description='new one'"),
    ),
    ("FCALL", "f", 0),
    ("FUNCTION", "LIST"),
    (
        "FUNCTION",
        "LOAD",
        FLAGGED,
    ),
    ("FUNCTION", "LIST", "LIBRARYNAME", "flagged"),
    ("FCALL", "ro", 0),
    ("FCALL_RO", "ro", 0),
    ("FUNCTION", "DELETE", "flagged"),
    ("FUNCTION", "DELETE", "flagged"),
    ("FUNCTION", "DELETE"),
    (
        "FUNCTION",
        "LOAD",
        "REPLACE",
        MANY,
    ),
    ("FCALL", "twice", 0, 21),
    ("FCALL", "twice", 0, "x"),
    ("FCALL", "count", 0),
    ("FCALL", "count", 0),
    ("FCALL", "global", 0),
    ("FCALL", "assign", 0),
    ("FCALL", "keys", 1, "a"),
    ("FCALL", "fails", 0),
    ("FCALL", "raises", 0),
    ("FCALL", "registers", 0),
    ("FCALL", "late", 0),
    ("FCALL", "later", 0),
    ("FCALL", "libs", 0),
    ("FCALL", "three", 0),
    ("FCALL", "handler", 0),
    ("FCALL", "debugs", 0),
    ("FUNCTION", "STATS"),
    ("FUNCTION", "KILL"),
    ("FUNCTION", "RESTORE"),
    ("FUNCTION", "RESTORE", "x"),
    ("FUNCTION", "RESTORE", "0123456789"),
    ("FUNCTION", "RESTORE", "x", "nosuch"),
    ("FUNCTION", "RESTORE", "x", "FLUSH", "more"),
    ("FUNCTION", "FLUSH", "x"),
    ("FUNCTION", "FLUSH", "sync", "x"),
    ("FUNCTION", "FLUSH", "ASYNC"),
    ("FUNCTION", "LIST"),
    ("FCALL", "twice", 0, 1),
    ("FUNCTION", "FLUSH"),
]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("program", [EVALS, FUNCTIONS], ids=["evals", "functions"])
def test_replies_are_equal(clean: Twin, program: list[tuple[Argument, ...]], resp: int) -> None:
    for command in program:
        theirs, ours = clean.both(*command, resp=resp)
        assert ours == theirs, command


def listed(reply: bytes) -> list[bytes]:
    """The library names in a FUNCTION LIST, sorted: redis-server has no order."""
    return sorted(re.findall(rb"library_name\r\n\$\d+\r\n(\w+)\r\n", reply))


def dump_of(reply: bytes) -> bytes:
    """The payload in the reply of FUNCTION DUMP."""
    return reply.split(b"\r\n", 1)[1][:-2]


def test_libraries_move_both_ways(clean: Twin) -> None:
    clean.both("FUNCTION", "LOAD", LIBRARY)
    clean.both("FUNCTION", "LOAD", OTHER)
    theirs, ours = clean.both("FUNCTION", "DUMP")
    assert sorted(payload.load(dump_of(theirs))) == sorted(payload.load(dump_of(ours)))
    for dump in (dump_of(theirs), dump_of(ours)):
        for policy in ("APPEND", "FLUSH", "REPLACE", "APPEND"):
            answers = clean.both("FUNCTION", "RESTORE", dump, policy)
            if policy == "APPEND":
                assert all(re.match(rb"-ERR Library (lib|other) already exists\r\n", a) for a in answers)
            else:
                assert answers == (b"+OK\r\n", b"+OK\r\n")
            for reply in clean.both("FUNCTION", "LIST"):
                assert listed(reply) == [b"lib", b"other"]
            answers = clean.both("FCALL", "g", 0)
            assert answers[0] == answers[1] == b"$5\r\nother\r\n"
        clean.both("FUNCTION", "FLUSH")
        assert clean.both("FUNCTION", "RESTORE", dump) == (b"+OK\r\n", b"+OK\r\n")


def test_a_compressed_payload_is_read(clean: Twin) -> None:
    wire = clean.clients[2]
    wire("CONFIG", "SET", "rdbcompression", "yes")
    code = LIBRARY + "\n-- " + "abcabcabc" * 200 + "xyz" * 500 + "é" * 300
    wire("FUNCTION", "LOAD", code)
    dump = dump_of(wire.raw("FUNCTION", "DUMP"))
    wire("CONFIG", "SET", "rdbcompression", "no")
    assert len(dump) < len(code)
    assert clean.ours("FUNCTION", "RESTORE", dump) == b"+OK\r\n"
    assert payload.load(dump) == [code.encode()]


def test_restoring_over_a_function_of_another_library(clean: Twin) -> None:
    clean.both("FUNCTION", "LOAD", LIBRARY)
    dump = dump_of(clean.ours("FUNCTION", "DUMP"))
    clean.both("FUNCTION", "FLUSH")
    clean.both(
        "FUNCTION", "LOAD", library("redis.register_function('f', function() return 'mine' end)", "taken")
    )
    theirs, ours = clean.both("FUNCTION", "RESTORE", dump, "REPLACE")
    assert ours == theirs == b"-ERR Function f already exists\r\n"
    theirs, ours = clean.both("FCALL", "f", 0)
    assert ours == theirs


@pytest.mark.parametrize(
    "codes",
    [
        [],
        ["nope"],
        [library("x x", "new")],
        [library("return 1", "new")],
        [LIBRARY, LIBRARY],
        [OTHER, library("redis.register_function('g', function() end)", "another")],
        [OTHER, library("error('x')", "another")],
    ],
)
def test_payloads_of_wrong_libraries(clean: Twin, codes: list[str]) -> None:
    clean.both("FUNCTION", "LOAD", LIBRARY)
    for policy in ("APPEND", "REPLACE", "FLUSH"):
        theirs, ours = clean.both("FUNCTION", "RESTORE", payload.dump(c.encode() for c in codes), policy)
        assert ours == theirs
        lists = clean.both("FUNCTION", "LIST")
        assert listed(lists[0]) == listed(lists[1])


def test_a_damaged_payload(clean: Twin) -> None:
    body = b"\xf5\x40"
    for version in (b"\x0a\0", b"\x0b\0"):
        dump = body + version + payload.crc64(body + version).to_bytes(8, "little")
        theirs, ours = clean.both("FUNCTION", "RESTORE", dump)
        assert ours == theirs


def test_what_changes_is_stored(clean: Twin) -> None:
    stored = clean.host.stored
    stored.clear()
    clean.ours("FUNCTION", "LOAD", LIBRARY)
    clean.ours("FUNCTION", "LOAD", OTHER)
    clean.ours("FUNCTION", "LOAD", OTHER)
    clean.ours("FUNCTION", "LOAD", "REPLACE", LIBRARY + " ")
    clean.ours("FUNCTION", "DELETE", "other")
    clean.ours("FUNCTION", "LOAD", library("x x", "new"))
    clean.ours("FUNCTION", "FLUSH")
    assert stored == [
        (b"lib", LIBRARY.encode()),
        (b"other", OTHER.encode()),
        (b"lib", LIBRARY.encode() + b" "),
        (b"other", None),
        (b"lib", None),
    ]


def test_what_was_stored_is_applied(clean: Twin) -> None:
    clean.host.stored.clear()
    functions = clean.room.functions
    functions.apply(clean.host, b"lib", LIBRARY.encode())
    assert clean.ours("FCALL", "f", 0) == b"*2\r\n*0\r\n*0\r\n"
    functions.apply(
        clean.host, b"lib", library("redis.register_function('f', function() return 2 end)").encode()
    )
    assert clean.ours("FCALL", "f", 0) == b":2\r\n"
    functions.apply(clean.host, b"lib", None)
    assert clean.ours("FCALL", "f", 0) == b"-ERR Function not found\r\n"
    assert clean.host.stored == []


def test_script_settings_end_with_a_flush(clean: Twin) -> None:
    for command in (
        ("EVAL", "return cjson.encode_max_depth(5)", 0),
        ("EVAL", "return cjson.encode_max_depth()", 0),
        ("SCRIPT", "FLUSH"),
        ("EVAL", "return cjson.encode_max_depth()", 0),
    ):
        theirs, ours = clean.both(*command)
        assert ours == theirs
