"""Takes tail calls out of compiled Lua 5.1, where they would cost an error its place in the script.

In Redis ``return redis.call(...)`` calls a C function, and Lua keeps the script's frame below it. Here the
function is Lua, so its tail call would replace the frame, and with it the line that the error text names. A
tail call is the same instruction as a call but for its opcode, and is always followed by a return of all
results, so changing the opcode changes nothing but the frame.

Only calls of what was read from the globals are changed, directly (``pairs``), by a field (``redis.call``) or
through a local or upvalue (``local rcall = redis.call``): ours are reached so, and a script cannot put its
own functions there. The script's own functions, recursive ones above all, keep their proper tail calls. What
a register holds is followed in the order of the instructions, without regard to jumps; a wrong guess costs an
error its line, or a call a frame.

The dump (Lua's ldump.c)::

    dump     := "\\x1bLua" 0x51 0x00 0x01 sizeof(int) sizeof(size_t) 4 8 0x00  function
    function := string(source) int(line) int(last line)
                byte(upvalues) byte(parameters) byte(vararg) byte(stack)
                int(n) n * instruction(4)
                int(n) n * constant        constant := 0 | 1 byte | 3 double | 4 string
                int(n) n * function
                int(n) n * int(line)   int(n) n * (string int int)   int(n) n * string
    string   := size_t(n) n bytes, the last one zero

An instruction holds its opcode in bits 0 to 5 and the register A, for a call that of the function, in bits 6
to 13.
"""

from dataclasses import dataclass, field
from struct import Struct

HEADER = b"\x1bLua\x51\x00\x01\x04\x08\x04\x08\x00"
_OPCODE_MASK = 0x3F
_MOVE, _LOADNIL, _GETUPVAL, _GETGLOBAL, _GETTABLE = 0, 3, 4, 5, 6
_CALL, _TAILCALL, _CLOSURE = 28, 29, 36
# The instructions that write no register: SETGLOBAL to SETTABLE, JMP to TEST, RETURN, SETLIST, CLOSE.
_NO_TARGET = frozenset((7, 8, 9, 22, 23, 24, 25, 26, 30, 34, 35))

_INT = Struct("<i")
_SIZE = Struct("<Q")
# The sizes of constants that are not strings, by their type byte.
_CONSTANT_SIZES = {0: 0, 1: 1, 3: 8}
_STRING = 4


@dataclass(slots=True)
class _Function:
    """Where a function's instructions are in a dump, and the functions inside it."""

    upvalue_count: int
    begin: int = 0
    end: int = 0
    inner: list["_Function"] = field(default_factory=list)


class _Reader:
    """A walk over a dump that finds its functions."""

    def __init__(self, dump: bytes) -> None:
        self._dump = dump
        self._offset = len(HEADER)

    def function(self) -> _Function:
        """Pass over one function and those inside it."""
        self._string()
        found = _Function(upvalue_count=self._dump[self._offset + 8])
        self._offset += 12
        count = self._int()
        found.begin, found.end = self._offset, self._offset + 4 * count
        self._offset = found.end
        for _ in range(self._int()):
            self._constant()
        for _ in range(self._int()):
            found.inner.append(self.function())
        line_count = self._int()
        self._offset += 4 * line_count
        for _ in range(self._int()):
            self._string()
            self._offset += 8
        for _ in range(self._int()):
            self._string()
        return found

    def _int(self) -> int:
        value: int = _INT.unpack_from(self._dump, self._offset)[0]
        self._offset += 4
        return value

    def _string(self) -> None:
        size: int = _SIZE.unpack_from(self._dump, self._offset)[0]
        self._offset += 8 + size

    def _constant(self) -> None:
        kind = self._dump[self._offset]
        self._offset += 1
        if kind == _STRING:
            self._string()
        else:
            self._offset += _CONSTANT_SIZES[kind]


def _patch(code: bytearray, function: _Function, upvalues: list[bool], every: bool) -> int:
    """Change the tail calls of a function and those inside it, and count them.

    Args:
        code: the dump.
        function: the place in it.
        upvalues: which of its upvalues hold what is ours.
        every: change all.
    """
    words = memoryview(code)[function.begin : function.end].cast("I")
    ours: dict[int, bool] = {}
    changed = 0
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        opcode, a, b = word & _OPCODE_MASK, word >> 6 & 0xFF, word >> 23
        if opcode == _TAILCALL:
            if every or ours.get(a):
                words[index - 1] = word & ~_OPCODE_MASK | _CALL
                changed += 1
        elif opcode == _CLOSURE:
            ours[a] = False
            inner = function.inner[word >> 14]
            captures = words[index : index + inner.upvalue_count].tolist()
            index += inner.upvalue_count
            held = [
                ours.get(c >> 23, False) if c & _OPCODE_MASK == _MOVE else upvalues[c >> 23] for c in captures
            ]
            changed += _patch(code, inner, held, every)
        elif opcode == _LOADNIL:
            ours.update(dict.fromkeys(range(a, b + 1), False))
        elif opcode not in _NO_TARGET:
            ours[a] = (
                opcode == _GETGLOBAL
                or (opcode in (_MOVE, _GETTABLE) and ours.get(b, False))
                or (opcode == _GETUPVAL and upvalues[b])
            )
    words.release()
    return changed


def remove_tail_calls(dump: bytes, every: bool = False) -> bytes | None:
    """Change tail calls of what was read from the globals to calls.

    Args:
        dump: what string.dump returned, in this process.
        every: change all others too.

    Returns:
        The changed dump, or None if there was nothing to change.
    """
    if not dump.startswith(HEADER):
        return None
    code = bytearray(dump)
    return bytes(code) if _patch(code, _Reader(dump).function(), [], every) else None
