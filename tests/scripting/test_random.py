"""Random values and texts through the conversions and libraries, by redis-server and by the room."""

import random
from collections.abc import Callable

import pytest

from scripting.twin import Twin

ROUNDS = 50
BATCH = 20
NUMBERS = [
    0,
    1,
    -1,
    0.5,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32,
    2**53,
    2**63,
    1e300,
    -1e300,
    1e-300,
    0.1,
]
STRUCT_OPTIONS = [
    "b",
    "B",
    "h",
    "H",
    "l",
    "L",
    "T",
    "i",
    "I",
    "f",
    "d",
    "x",
    "s",
    "c0",
    "c3",
    " ",
    "<",
    ">",
    "!",
    "!4",
]
BIT_FUNCTIONS = [
    "band",
    "bor",
    "bxor",
    "bnot",
    "lshift",
    "rshift",
    "arshift",
    "rol",
    "ror",
    "bswap",
    "tobit",
    "tohex",
]


def quoted(data: bytes) -> str:
    """A Lua literal of these bytes."""
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


def number(chance: random.Random) -> str:
    """A Lua literal of a number."""
    kind = chance.randrange(6)
    if kind == 0:
        return str(chance.randrange(-300, 300))
    if kind == 1:
        return repr(chance.choice(NUMBERS) + chance.choice([0, 0, 1, -1, 0.5]))
    if kind == 2:
        return repr(chance.uniform(-10, 10) * 10 ** chance.randrange(-5, 20))
    if kind == 3:
        return repr(chance.getrandbits(chance.randrange(1, 66)) * chance.choice([1, -1]))
    if kind == 4:
        return chance.choice(["1/0", "-1/0", "0/0", "-(0/0)", "-0.0"])
    return repr(float(chance.getrandbits(53)) * 2.0 ** chance.randrange(-1100, 900))


def text(chance: random.Random) -> bytes:
    """Some bytes, often plain."""
    size = chance.choice([0, 1, 2, 5, 31, 32, 40, 300])
    if chance.random() < 0.6:
        return bytes(chance.choices(b'abcxyz019 _"\\/\n', k=size))
    return chance.randbytes(size)


def key(chance: random.Random) -> str:
    """A Lua literal of a key. Tables with keys from 32 bytes on have another order in Redis's own Lua."""
    return quoted(text(chance)[:31])


def value(chance: random.Random, depth: int = 0) -> str:
    """A Lua expression of some value."""
    kind = chance.randrange(9 if depth < 4 else 5)
    if kind == 0:
        return chance.choice(["true", "false", "cjson.null"])
    if kind <= 2:
        return number(chance)
    if kind <= 4:
        return quoted(text(chance))
    items = [value(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 3, 5, 17]))]
    if kind <= 6:
        return "{" + ", ".join(items) + "}"
    if kind == 7:
        return "{" + ", ".join(f"[{key(chance)}] = {item}" for item in items) + "}"
    names = [str(chance.randrange(-2, 8)) for _ in items]
    return "{" + ", ".join(f"[{n}] = {item}" for n, item in zip(names, items, strict=True)) + "}"


def reply(chance: random.Random) -> str:
    """A value, or a table that stands for a reply."""
    field = chance.choice(["", "", "ok", "err", "double", "big_number", "map", "set", "verbatim_string"])
    inner = value(chance)
    if field == "verbatim_string":
        inner = f"{{format = {quoted(text(chance))}, string = {inner}}}"
    return f"{{{field} = {inner}}}" if field else inner


def json_text(chance: random.Random) -> bytes:
    """JSON, or nearly."""

    def part(depth: int) -> bytes:
        kind = chance.randrange(7 if depth < 4 else 5)
        if kind == 0:
            return chance.choice(
                [b"true", b"false", b"null", b"nan", b"inf", b"0x1F", b"007", b"1e5", b"-1.5E-3"]
            )
        if kind <= 2:
            return number(chance).encode()
        if kind <= 4:
            return b'"' + bytes(chance.choices(b'ab \\n"u00e4/\xc3\xa4', k=chance.randrange(6))) + b'"'
        parts = [part(depth + 1) for _ in range(chance.randrange(4))]
        if kind == 5:
            return b"[" + b" ,".join(parts) + b"]"
        return b"{" + b", ".join(b'"k%d" :%s' % (i, p) for i, p in enumerate(parts)) + b"}"

    data = bytearray(part(0))
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        if data:
            data[chance.randrange(len(data))] = chance.choice(b'[]{},:"\\ 01atn\x00')
    return bytes(data)


def struct_call(chance: random.Random) -> str:
    """Pack, and unpack what was packed."""
    options = chance.choices(STRUCT_OPTIONS, k=chance.randrange(1, 7))
    options = [
        o + str(chance.randrange(1, 17)) if o in "iI" and chance.random() < 0.6 else o for o in options
    ]
    arguments = []
    for option in options:
        if option in ("s", "c0", "c3"):
            arguments.append(quoted(text(chance)))
        elif option not in ("x", " ", "<", ">", "!", "!4"):
            arguments.append(number(chance))
    layout = quoted("".join(options).encode())
    packed = ", ".join([layout, *arguments])
    return (
        f"(function() local s = struct.pack({packed}) local t = {{s, pcall(struct.unpack, {layout}, s)}} "
        "for i = 1, #t do t[i] = tostring(t[i]) end return table.concat(t, ' ') end)()"
    )


def bit_call(chance: random.Random) -> str:
    """A function of bit."""
    arguments = ", ".join(number(chance) for _ in range(chance.randrange(1, 4)))
    return f"bit.{chance.choice(BIT_FUNCTIONS)}({arguments})"


def caught(expression: str) -> str:
    """The expression as a list of what pcall says of it."""
    return f"{{pcall(function() return {expression} end)}}"


def json_round(chance: random.Random) -> str:
    """Encode, decode, encode."""
    return (
        f"(function() local s = cjson.encode({value(chance)}) "
        f"return s .. cjson.encode(cjson.decode(s)) end)()"
    )


def msgpack_round(chance: random.Random) -> str:
    """Pack, unpack, pack."""
    return (
        f"(function() local s = cmsgpack.pack({value(chance)}) "
        f"return s .. cmsgpack.pack(cmsgpack.unpack(s)) end)()"
    )


def msgpack_noise(chance: random.Random) -> str:
    """Unpack what may be anything; what comes out as text, without addresses."""
    size = chance.randrange(1, 12)
    first = chance.choice([chance.randrange(256), chance.randrange(0xC0, 0xE0), chance.randrange(0x80, 0xA0)])
    return f"cjson.encode({{cmsgpack.unpack({quoted(bytes([first]) + chance.randbytes(size))})}})"


EXPRESSIONS: dict[str, Callable[[random.Random], str]] = {
    "json encode": lambda chance: f"cjson.encode({value(chance)})",
    "json round": json_round,
    "json decode": lambda chance: f"cjson.encode(cjson.decode({quoted(json_text(chance))}))",
    "msgpack pack": lambda chance: f"cmsgpack.pack({value(chance)})",
    "msgpack round": msgpack_round,
    "msgpack noise": msgpack_noise,
    "struct": struct_call,
    "bit": bit_call,
}


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_libraries_agree(twin: Twin, seed: int, kind: str) -> None:
    chance = random.Random(f"{seed} {kind}")
    for _ in range(ROUNDS):
        batch = ", ".join(caught(EXPRESSIONS[kind](chance)) for _ in range(BATCH))
        theirs, ours = twin.both("EVAL", f"return {{{batch}}}", 0)
        assert ours == theirs, batch


@pytest.mark.parametrize("resp", [2, 3])
def test_replies_agree(twin: Twin, seed: int, resp: int) -> None:
    chance = random.Random(f"{seed} {resp}")
    for _ in range(ROUNDS):
        batch = ", ".join(reply(chance) for _ in range(BATCH))
        script = f"redis.setresp({chance.choice([2, 3])}) return {{{batch}}}"
        theirs, ours = twin.both("EVAL", script, 0, resp=resp)
        assert ours == theirs, script


def test_numbers_as_arguments_agree(twin: Twin, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        numbers = ", ".join(number(chance) for _ in range(BATCH))
        theirs, ours = twin.both("EVAL", f"return redis.call('echo', table.concat({{{numbers}}}, ' '))", 0)
        assert ours == theirs, numbers
        calls = ", ".join(f"redis.call('echo', {number(chance)})" for _ in range(BATCH))
        theirs, ours = twin.both("EVAL", f"return {{{calls}}}", 0)
        assert ours == theirs, calls


def test_random_numbers_agree(twin: Twin, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        calls = ", ".join(
            f"math.random({chance.randrange(100)}, {chance.randrange(100, 2**31)})" for _ in range(BATCH)
        )
        script = f"math.randomseed({number(chance)}) return {{tostring(math.random()), {calls}}}"
        theirs, ours = twin.both("EVAL", script, 0)
        assert ours == theirs, script
