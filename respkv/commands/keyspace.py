"""Values packed, unpacked and looked at; whole databases emptied and exchanged.

What a command looks at is read on a worker thread, so that nobody else waits for the disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from respkv.commands import rdb
from respkv.commands.arguments import (
    DB_RANGE,
    SYNTAX,
    integer,
    integer32,
)
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.reply import OK, Reply, Status, encode
from respkv.errors import CommandError
from respkv.storage.cells import Cell, string_payload, string_value

BUSY_KEY = "BUSYKEY Target key name already exists."
NO_FREQUENCY = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
    "switching between policies at runtime LRU and LFU data will take some time to adjust."
)
EMBEDDED_SIZE_MAX = 44
SHARED_INTEGERS = 10_000
SHARED_REFCOUNT = 2**31 - 1
FLUSH_RETRY_S = 0.05
PIECE_BYTES = 256 << 10


async def fetch(ctx: Context, db: int, key: bytes) -> Cell | None:
    """Return the live cell of a key, read on a worker thread."""
    store = ctx.store
    view, internal, now_ms = store.view(), store.internal_key(db, key), store.now_ms()
    try:
        cell = await ctx.services.run(view.get, internal)
    finally:
        view.release()
    return cell if cell and cell.live(now_ms) else None


def _database(ctx: Context, number: int) -> int:
    if not 0 <= number < ctx.store.databases.count:
        raise CommandError(DB_RANGE)
    return number


# ---- whole databases
# -----------------------------------------------------------------------------------------


def swapdb(ctx: Context, args: Arguments) -> Reply:
    """SWAPDB index1 index2."""
    numbers = []
    for argument, which in ((args[1], "first"), (args[2], "second")):
        try:
            numbers.append(integer32(argument))
        except CommandError:
            raise CommandError(f"ERR invalid {which} DB index") from None
    first, second = (_database(ctx, number) for number in numbers)
    ctx.wait_for(ctx.store.swap(first, second))
    ctx.services.clients.map_databases(ctx.store.databases.mapping())
    return OK


def _check_flush(args: Arguments) -> None:
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)


async def flushdb(ctx: Context, args: Arguments) -> Reply:
    """FLUSHDB [ASYNC | SYNC]: the same either way, at once."""
    _check_flush(args)
    while True:
        try:
            ctx.wait_for(ctx.store.flush(ctx.db))
            break
        except LookupError:
            # Every spare number holds a database that is still being dropped.
            await ctx.services.sleep(FLUSH_RETRY_S)
    ctx.services.clients.map_databases(ctx.store.databases.mapping())
    ctx.services.drop()
    return OK


def flushall(ctx: Context, args: Arguments) -> Reply:
    """FLUSHALL [ASYNC | SYNC]: the same either way, at once."""
    _check_flush(args)
    ctx.wait_for(ctx.store.flush_all())
    ctx.services.clients.map_databases(ctx.store.databases.mapping())
    return OK


# ---- DUMP, RESTORE
# -------------------------------------------------------------------------------------------


async def dump(ctx: Context, args: Arguments) -> AsyncIterator[bytes]:
    """DUMP key: in pieces, since a payload may be large."""
    cell = await fetch(ctx, ctx.db, args[1])
    if cell is None:
        yield encode(None, ctx.resp)
        return
    payload = await ctx.services.run(rdb.dump, string_value(cell))
    yield b"$%d\r\n" % len(payload)
    for at in range(0, len(payload), PIECE_BYTES):
        yield payload[at : at + PIECE_BYTES]
    yield b"\r\n"


async def restore(ctx: Context, args: Arguments) -> Reply:
    """RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]."""
    key, payload = args[1], args[3]
    options = _restore_options(args[4:])
    replace, absolute = b"REPLACE" in options, b"ABSTTL" in options
    if not replace and await fetch(ctx, ctx.db, key):
        raise CommandError(BUSY_KEY)
    ttl = integer(args[2])
    if ttl < 0:
        raise CommandError("ERR Invalid TTL value, must be >= 0")
    try:
        value = await ctx.services.run(rdb.restore, payload)
    except rdb.BadPayload:
        raise CommandError("ERR DUMP payload version or checksum are wrong") from None
    except rdb.BadFormat:
        raise CommandError("ERR Bad data format") from None
    if len(value) > ctx.services.config.integer("value-max-len"):
        raise CommandError("ERR value too large")
    transaction = ctx.store.transaction()
    if not replace and transaction.get(ctx.db, key):
        raise CommandError(BUSY_KEY)
    expires = ttl if absolute or not ttl else transaction.now_ms + ttl
    if expires and expires <= transaction.now_ms:
        transaction.delete(ctx.db, key)
    else:
        transaction.set(ctx.db, key, string_payload(value), expires)
    ctx.commit(transaction)
    return OK


def _restore_options(words: Arguments) -> set[bytes]:
    """The options given; the values of IDLETIME and FREQ are checked, and mean nothing here."""
    found: set[bytes] = set()
    at = 0
    while at < len(words):
        option, more = words[at].upper(), at + 1 < len(words)
        if option in (b"REPLACE", b"ABSTTL"):
            at += 1
        elif option == b"IDLETIME" and more and b"FREQ" not in found:
            if integer(words[at + 1]) < 0:
                raise CommandError("ERR Invalid IDLETIME value, must be >= 0")
            at += 2
        elif option == b"FREQ" and more and b"IDLETIME" not in found:
            if not 0 <= integer(words[at + 1]) <= 255:
                raise CommandError("ERR Invalid FREQ value, must be >= 0 and <= 255")
            at += 2
        else:
            raise CommandError(SYNTAX)
        found.add(option)
    return found


# ---- OBJECT
# --------------------------------------------------------------------------------------------------


def encoding_of(value: bytes) -> str:
    """Return how Redis would hold a string that was just set: int, embstr or raw."""
    if _as_integer(value) is not None:
        return "int"
    return "embstr" if len(value) <= EMBEDDED_SIZE_MAX else "raw"


def _as_integer(value: bytes) -> int | None:
    if len(value) > 20:
        return None
    try:
        return integer(value)
    except CommandError:
        return None


async def object_encoding(ctx: Context, args: Arguments) -> Reply:
    """OBJECT ENCODING key."""
    cell = await fetch(ctx, ctx.db, args[2])
    return encoding_of(string_value(cell)) if cell else None


async def object_refcount(ctx: Context, args: Arguments) -> Reply:
    """OBJECT REFCOUNT key: as in Redis small integers are shared."""
    cell = await fetch(ctx, ctx.db, args[2])
    if cell is None:
        return None
    number = _as_integer(string_value(cell))
    return SHARED_REFCOUNT if number is not None and 0 <= number < SHARED_INTEGERS else 1


async def object_idletime(ctx: Context, args: Arguments) -> Reply:
    """OBJECT IDLETIME key: seconds since it was written, since reads leave no trace."""
    cell = await fetch(ctx, ctx.db, args[2])
    return None if cell is None else idle_s(ctx, cell)


def idle_s(ctx: Context, cell: Cell) -> int:
    """Return the seconds since a cell was written."""
    return max(ctx.store.now_ms() - (cell.hlc >> 16), 0) // 1000


async def object_freq(ctx: Context, args: Arguments) -> Reply:
    """OBJECT FREQ key."""
    if await fetch(ctx, ctx.db, args[2]) is None:
        return None
    raise CommandError(NO_FREQUENCY)


OBJECT_HELP = [
    "OBJECT <subcommand> <key>. Subcommands are:",
    "ENCODING",
    "    How Redis would hold the value: int, embstr or raw.",
    "FREQ",
    "    An error: use is not counted.",
    "IDLETIME",
    "    Seconds since the key was written.",
    "REFCOUNT",
    "    How many references Redis would count.",
    "HELP",
    "    This text.",
]


def object_help(ctx: Context, args: Arguments) -> Reply:
    """OBJECT HELP."""
    return [Status(line) for line in OBJECT_HELP]


HANDLERS: dict[str, Handler] = {
    "dump": dump,
    "flushall": flushall,
    "flushdb": flushdb,
    "object|encoding": object_encoding,
    "object|freq": object_freq,
    "object|help": object_help,
    "object|idletime": object_idletime,
    "object|refcount": object_refcount,
    "restore": restore,
    "swapdb": swapdb,
}
