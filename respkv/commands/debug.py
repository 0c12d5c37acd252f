"""DEBUG: the harmless part of it, for tests of clients.

What crashes, leaks, reloads or blocks a server is not here. DEBUG SLEEP holds only the connection that asks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from respkv.commands.arguments import NO_SUCH_KEY, text, unknown_subcommand
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.keyspace import encoding_of, fetch, idle_s
from respkv.commands.reply import OK, Encoded, Members, Reply, Status, Verbatim
from respkv.errors import CommandError
from respkv.storage.cells import string_value
from respkv.storage.iterators import View, walk

NOT_ALLOWED = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it '
    "from a local connection, otherwise you need to set this option in the configuration file, and then "
    "restart the server."
)
PROTOCOL_TYPES = "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
SLEEP_S_MAX = 3600.0
LOG_SIZE_MAX = 1024


def _allowed(ctx: Context) -> bool:
    who = ctx.services.config.text("enable-debug-command")
    local = ctx.facts().address.startswith(("127.", "[::1]", "::1"))
    return who == "yes" or (who == "local" and local)


async def debug(ctx: Context, args: Arguments) -> Reply:
    """DEBUG subcommand."""
    if not _allowed(ctx):
        raise CommandError(NOT_ALLOWED)
    name, count = args[1].upper(), len(args)
    if name == b"SLEEP" and count == 3:
        await ctx.services.sleep(min(max(_seconds(args[2]), 0.0), SLEEP_S_MAX))
        return OK
    if name == b"OBJECT" and count >= 3:
        return await _object(ctx, args[2])
    if name == b"DIGEST" and count == 2:
        return await _digest(ctx)
    if name == b"DIGEST-VALUE":
        return [await _digest_value(ctx, key) for key in args[2:]]
    found = SIMPLE.get((name, count))
    if found is None:
        raise unknown_subcommand(args[1], "DEBUG")
    return found(ctx, args)


def _seconds(argument: bytes) -> float:
    """As strtod: the number that the text begins with, else 0."""
    match = re.match(rb"\s*[-+]?(\d+\.?\d*|\.\d+)", argument)
    return float(match[0]) if match else 0.0


async def _object(ctx: Context, key: bytes) -> Reply:
    cell = await fetch(ctx, ctx.db, key)
    if cell is None:
        raise CommandError(NO_SUCH_KEY)
    value = string_value(cell)
    return Status(
        f"Value at:0x0 refcount:1 encoding:{encoding_of(value)} serializedlength:{len(value) + 1} "
        f"lru:0 lru_seconds_idle:{idle_s(ctx, cell)} version:{cell.hlc}.{cell.node}"
    )


def _entry_digest(db: int, key: bytes, value: bytes) -> bytes:
    size = len(key).to_bytes(4, "big")
    return hashlib.sha1(bytes((db,)) + size + key + value, usedforsecurity=False).digest()


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _digest_of(view: View, mapping: bytes, now_ms: int) -> bytes:
    """All keys and values as one number that does not depend on their order."""
    total = bytes(20)
    for db, stored in enumerate(mapping):
        for entries, _ in walk(view, stored, now_ms):
            for entry in entries:
                cell = view.get(entry.key)
                if cell:
                    total = _xor(total, _entry_digest(db, entry.key[4:], cell.payload))
    return total


async def _digest(ctx: Context) -> Reply:
    view = ctx.store.view()
    try:
        mapping = ctx.store.databases.mapping()
        return Status((await ctx.services.run(_digest_of, view, mapping, ctx.store.now_ms())).hex())
    finally:
        view.release()


async def _digest_value(ctx: Context, key: bytes) -> Reply:
    cell = await fetch(ctx, ctx.db, key)
    return Status((_entry_digest(0, b"", cell.payload) if cell else bytes(20)).hex())


def _set_active_expire(ctx: Context, args: Arguments) -> Reply:
    """Accepted: expired keys are never shown, and their space is freed by compaction either way."""
    return OK


def _error(ctx: Context, args: Arguments) -> Reply:
    raise CommandError(text(args[2]))


def _log(ctx: Context, args: Arguments) -> Reply:
    ctx.services.log(f"DEBUG LOG: {text(args[2][:LOG_SIZE_MAX])!r}")
    return OK


def _protocol(ctx: Context, args: Arguments) -> Reply:
    """A reply of every kind, for tests of parsers."""
    values: dict[bytes, Reply] = {
        b"string": b"Hello World",
        b"integer": 12345,
        b"double": 3.141,
        b"bignum": _by_version(
            ctx,
            b"$37\r\n1234567999999999999999999999999999999\r\n",
            b"(1234567999999999999999999999999999999\r\n",
        ),
        b"null": None,
        b"array": [0, 1, 2],
        b"set": Members([0, 1, 2]),
        b"map": {0: False, 1: True, 2: False},
        b"verbatim": Verbatim("This is a verbatim\nstring"),
        b"true": True,
        b"false": False,
    }
    kind = args[2].lower()
    if kind == b"attrib":
        attributes = b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
        plain = b"$39\r\nSome real reply following the attribute\r\n"
        return _by_version(ctx, plain, attributes + plain)
    if kind == b"push":
        if ctx.resp == 2:
            raise CommandError("ERR RESP2 is not supported by this command")
        return Encoded(
            b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n"
        )
    if kind not in values:
        raise CommandError(f"ERR Wrong protocol type name. Please use one of the following: {PROTOCOL_TYPES}")
    return values[kind]


def _by_version(ctx: Context, resp2: bytes, resp3: bytes) -> Encoded:
    return Encoded(resp2 if ctx.resp == 2 else resp3)


def _help(ctx: Context, args: Arguments) -> Reply:
    return [Status(line) for line in HELP]


def _accept(ctx: Context, args: Arguments) -> Reply:
    return OK


SIMPLE: dict[tuple[bytes, int], Callable[[Context, Arguments], Reply]] = {
    (b"SET-ACTIVE-EXPIRE", 3): _set_active_expire,
    (b"SET-DISABLE-DENY-SCRIPTS", 3): _accept,
    (b"QUICKLIST-PACKED-THRESHOLD", 3): _accept,
    (b"ERROR", 3): _error,
    (b"LOG", 3): _log,
    (b"PROTOCOL", 3): _protocol,
    (b"HELP", 2): _help,
}

HELP = [
    "DEBUG <subcommand> [<argument> ...]. Subcommands are:",
    "DIGEST, DIGEST-VALUE <key> [<key> ...]",
    "    A hash of all keys and values, or of some values.",
    "ERROR <text>",
    "    Answers with this error.",
    "LOG <text>",
    "    Writes into the server's log.",
    "OBJECT <key>",
    "    What the store knows of a key.",
    "PROTOCOL <type>",
    f"    A reply of a type: {PROTOCOL_TYPES}.",
    "SET-ACTIVE-EXPIRE (0|1)",
    "    Accepted.",
    "SLEEP <seconds>",
    "    Holds this connection, and no other.",
    "HELP",
    "    This text.",
]

HANDLERS: dict[str, Handler] = {"debug": debug}
