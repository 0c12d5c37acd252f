"""Tail calls: which are changed, and that a change changes nothing but the frame."""

from typing import Any

import pytest
from lupa import lua51  # type: ignore[import-untyped]

from respkv.scripting.tailcalls import HEADER, remove_tail_calls

# Source, and how many frames a function sees that is called last: one less where the tail call stays.
DEPTH = "local function depth() local n = 0 while debug.getinfo(n, 'S') do n = n + 1 end return n end "


@pytest.fixture(name="lua")
def fixture_lua() -> Any:
    """A Lua with everything in it."""
    return lua51.LuaRuntime(encoding=None)


def changed(lua: Any, source: str, every: bool = False) -> int:
    """How many tail calls of the code were changed."""
    dump = lua.globals()[b"string"][b"dump"](lua.globals()[b"loadstring"](source.encode()))
    patched = remove_tail_calls(dump, every)
    if patched is None:
        return 0
    assert len(patched) == len(dump)
    return sum(old != new for old, new in zip(dump, patched, strict=True))


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("return f()", 1),
        ("return t.f()", 1),
        ("return t.u.f(1, 2, g())", 1),
        ("local f = t.f return f()", 1),
        ("local t = t return t.f()", 1),
        ("local f = t.f local function g(x) return f(x) end return g()", 1),
        ("local f = t.f local function g() return function() return f() end end return g()", 1),
        ("if x then return f() else return g() end", 2),
        ("local function f() return f() end", 0),
        ("local f function g() end f = function() return f() end", 0),
        ("local function f(g) return g() end", 0),
        ("local f = nil return f()", 0),
        ("local t = {} function t.f() return t.f() end", 0),
        ("return s:rep(3)", 0),
        ("return (f())", 0),
        ("return f(), 1", 0),
        ("local x = f() return x", 0),
        ("return function(...) return ... end", 0),
        ("local f = t.f f = function() end return f()", 0),
        ("local a, b, c = t.f, function() end, nil return b()", 0),
        ("local a, b = t.f, function() end return a()", 1),
        ("for k, v in pairs(t) do return v(k) end", 0),
        ("local s = 'a string ' .. 1.5 return f(s, true, nil)", 1),
    ],
)
def test_only_calls_of_what_was_global_are_changed(lua: Any, source: str, count: int) -> None:
    assert changed(lua, source) == count


def test_every_tail_call_can_be_changed(lua: Any) -> None:
    source = "local function f(g) return g() end return f(function() return f() end)"
    assert changed(lua, source) == 0
    assert changed(lua, source, every=True) == 3


PROGRAMS = [
    "return select('#', unpack({1, nil, 3, nil}, 1, 4)), unpack({1, 2})",
    "local function f(...) return ... end return f(1, nil, 'x', nil)",
    "return tostring(12.5)",
    "local s = string return s.format('%s-%d', 'a', 5)",
    "return string.gsub('hello', 'l', function(c) return string.upper(c) end)",
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(15)",
    "return pcall(error, 'x')",
    "return (function(...) return select('#', ...) end)(nil, nil)",
]


@pytest.mark.parametrize("source", PROGRAMS)
def test_results_are_the_same(lua: Any, source: str) -> None:
    load, dump = lua.globals()[b"loadstring"], lua.globals()[b"string"][b"dump"]
    for every in (False, True):
        function = load(source.encode())
        patched = remove_tail_calls(dump(function), every)
        assert load(patched or dump(function))() == function()


def test_the_frame_is_kept(lua: Any) -> None:
    load, dump = lua.globals()[b"loadstring"], lua.globals()[b"string"][b"dump"]
    lua.execute(b"function where() return debug.getinfo(2, 'l').currentline end")
    function = load(b"\n\nreturn where()")
    assert function() == -1
    assert load(remove_tail_calls(dump(function)))() == 3


def test_dumps_of_other_machines_are_left_alone(lua: Any) -> None:
    dump = lua.globals()[b"string"][b"dump"](lua.globals()[b"loadstring"](b"return f()"))
    assert dump.startswith(HEADER)
    assert remove_tail_calls(b"\x1bLua\x52" + dump[5:]) is None
    assert remove_tail_calls(b"") is None
