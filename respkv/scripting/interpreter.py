"""A Lua 5.1 state with the sandbox of lua/ in it, and the few calls that cross into it.

Leaves to others: what commands mean, flags, caches (scripts.py, functions.py) and the checks of commands
(engine.py).

Crossing costs about 0.15 µs into Lua and 0.4 µs out of it, more for every argument, so a script without
commands is one call, and each command one call back. Only strings, numbers, booleans and None cross: a Python
object never gets where a script could hold it.

Memory. Lua reports a failed allocation by a long jump. From Lua's own code that ends in the script's error;
from the glue between Lua and Python, which holds locks, it would end in ruin. So the glue never allocates
near the limit: Lua calls out only with ``SLACK`` bytes to spare, and what goes in is measured first
(:meth:`Interpreter.make_room`).
"""

import operator
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from lupa import lua51  # type: ignore[import-untyped]

from .tailcalls import remove_tail_calls

VERSION = (7, 0, 15)
SLACK = 1 << 20
# More arguments than this are put into Lua in pieces of this many: a C call takes 8000 at most.
_PIECE = 250
# Arguments of up to so many bytes in all fit into the slack.
_SMALL = SLACK // 4

# The name of all chunks of the runtime, by which they know their own frames (kit.lua).
_COMPILE = b'return function(source) return string.dump(assert(loadstring(source, "=respkv"))) end'


class Stop(IntEnum):
    """Whether and why a script has to end; the texts are in guard.lua."""

    GO_ON = 0
    KILLED = 1
    FAILURE = 2
    INSTRUCTIONS = 3
    LOAD_TIME = 4


class Port(Protocol):
    """What the sandbox asks of the room while a script runs. Nothing here may raise."""

    def call(self, resp: int, *argv: bytes) -> bytes | None:
        """Run a command: its reply; None if argv is not one or more byte strings; b"" to end the script."""

    def may(self, *argv: bytes) -> bool | None:
        """Whether the user may run the command; None if there is no such command."""

    def log(self, level: int, text: bytes) -> None:
        """Write to the log."""

    def tick(self) -> int:
        """Called every 10,000 instructions: a :class:`Stop`."""

    def register(self, number: int, name: bytes, flags: bytes, description: bytes | None) -> bytes | None:
        """Take note of a function that a library registers: None, or what is wrong."""


class OutOfMemoryError(MemoryError):
    """The limit of a Lua state has been reached outside a script."""


class InterpreterError(Exception):
    """The runtime itself has raised: a script has found a hole in it."""


class Added(NamedTuple):
    """A compiled script: its number, or None and what is wrong with it."""

    number: int | None
    wrong: bytes


def _sha1hex(text: bytes) -> bytes:
    return sha1(text, usedforsecurity=False).hexdigest().encode()


@cache
def _chunks() -> dict[bytes, bytes]:
    """The files of lua/, compiled, by their names."""
    dump = lua51.LuaRuntime(encoding=None, register_eval=False, register_builtins=False).execute(_COMPILE)
    chunks = {}
    for file in (files(__package__) / "lua").iterdir():
        name = file.name.removesuffix(".lua")
        dumped: bytes = dump(file.read_bytes())
        chunks[name.encode()] = remove_tail_calls(dumped, every=name != "bare") or dumped
    return chunks


class Interpreter:
    """One Lua state. Not reentrant: no method may be called while a script runs in it.

    Args:
        port: answers what scripts ask.
        engine: ``script`` (scripts have KEYS and ARGV) or ``function`` (libraries can be loaded).
        memory_bytes: the most the state may take.
    """

    def __init__(self, port: Port, engine: str, memory_bytes: int) -> None:
        self._memory_max = memory_bytes
        # Lua collects as it allocates, but never because it has to: what the last script has left must not
        # stand in the way of the next.
        self._crowded = memory_bytes // 2
        self._full = memory_bytes - 2 * SLACK
        self._lua: Any = lua51.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=False,
            attribute_filter=_no_attributes,
            max_memory=memory_bytes,
        )
        self._used: Callable[[], int] = self._lua.get_memory_used
        load, chunks = self._lua.eval(b"loadstring"), _chunks()

        def chunk(name: bytes) -> Any:
            return load(chunks[name])

        run = chunk(b"boot")(chunk, engine.encode(), self._port_table(port), (memory_bytes - SLACK) // 1024)
        self._script, self._call = run[b"script"], run[b"call"]
        self._fill, self._add = run[b"fill"], run[b"add"]
        self._load, self._drop = run[b"load"], run[b"drop"]

    def _port_table(self, port: Port) -> Any:
        major, minor, patch = VERSION
        return self._lua.table_from(
            {
                b"call": port.call,
                b"may": port.may,
                b"log": port.log,
                b"tick": port.tick,
                b"register": port.register,
                b"patch": remove_tail_calls,
                b"sha1": _sha1hex,
                b"band": operator.and_,
                b"bor": operator.or_,
                b"bxor": operator.xor,
                b"version": b"%d.%d.%d" % VERSION,
                b"version_number": major << 16 | minor << 8 | patch,
            }
        )

    # ---- running ------------------------------------------------------------------------------------------

    def script(self, number: int, resp: int, key_count: int, arguments: Sequence[bytes]) -> bytes:
        """Run a script.

        Args:
            number: from :meth:`add`.
            resp: the protocol version of the client.
            key_count: how many of the arguments are keys.
            arguments: keys, then the others.

        Returns:
            The reply.

        Raises:
            OutOfMemoryError: there is no room for the arguments or the reply.
            InterpreterError: the runtime has a fault.
        """
        return self._enter(self._script, number, resp, key_count, arguments)

    def function(self, number: int, resp: int, key_count: int, arguments: Sequence[bytes]) -> bytes:
        """Call a function of a library, as :meth:`script`; number is what ``Port.register`` was told."""
        return self._enter(self._call, number, resp, key_count, arguments)

    def _enter(self, run: Any, number: int, resp: int, key_count: int, arguments: Sequence[bytes]) -> bytes:
        if self._used() > self._crowded:
            self._lua.gccollect()
        if len(arguments) > _PIECE or sum(map(len, arguments)) > _SMALL or self._used() > self._full:
            self._put(arguments)
            reply: bytes | tuple[bytes, bool] = self._cross(run, number, resp, -1 - key_count)
        else:
            reply = self._cross(run, number, resp, key_count, *arguments)
        if isinstance(reply, tuple):
            return b"$%d\r\n%s\r\n" % (len(reply[0]), reply[0])
        return reply

    def _put(self, arguments: Sequence[bytes]) -> None:
        self.make_room(sum(map(len, arguments)) + 64 * len(arguments))
        self._cross(self._fill)
        for begin in range(0, len(arguments), _PIECE):
            self._cross(self._fill, *arguments[begin : begin + _PIECE])

    def _cross(self, function: Any, *arguments: bytes | int) -> Any:
        """Call into Lua."""
        try:
            return function(*arguments)
        except lua51.LuaMemoryError:
            self._lua.gccollect()
            raise OutOfMemoryError from None
        except lua51.LuaError as error:
            raise InterpreterError(str(error)) from None

    def make_room(self, size: int) -> None:
        """See that size bytes more can be put into Lua.

        Raises:
            OutOfMemoryError: not even after a collection.
        """
        if self._used() + size + SLACK > self._memory_max:
            self._lua.gccollect()
            if self._used() + size + SLACK > self._memory_max:
                raise OutOfMemoryError

    # ---- code ---------------------------------------------------------------------------------------------

    def add(self, source: bytes, name: bytes) -> Added:
        """Compile a script and keep it.

        Args:
            source: without the first line's ``#!``.
            name: what errors call it by.

        Raises:
            OutOfMemoryError: it does not fit.
            InterpreterError: the runtime has a fault.
        """
        self.make_room(4 * len(source))
        answer = self._cross(self._add, source, name)
        return Added(None, answer[1]) if isinstance(answer, tuple) else Added(answer, b"")

    def load(self, source: bytes) -> bytes | None:
        """Run a library's code, which registers its functions.

        Returns:
            None, or what went wrong.

        Raises:
            OutOfMemoryError: it does not fit.
            InterpreterError: the runtime has a fault.
        """
        self.make_room(4 * len(source))
        wrong: bytes | None = self._cross(self._load, source)
        return wrong

    def drop(self, number: int) -> None:
        """Forget a script or function."""
        self._drop(number)

    @property
    def memory_used(self) -> int:
        """Bytes that the state takes, garbage included."""
        return self._used()


def _no_attributes(_object: object, name: object, _is_setting: bool) -> None:
    raise AttributeError(name)
