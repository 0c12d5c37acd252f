"""Commands that walk over keys: KEYS, SCAN, RANDOMKEY, DBSIZE. They walk on a worker thread over a view,
never on the loop.

KEYS has to say how many keys follow before the first. It collects what matches up to COLLECT_BYTES_MAX; a
longer reply is counted to its end, then sent: what was collected first, the rest from a second walk over the
same view, in pieces as the client takes them. The same view at the same moment gives the same keys, and
memory stays bounded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from respkv.commands.arguments import NOT_AN_INTEGER, SYNTAX, UINT64_MAX, integer
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.cursors import Position
from respkv.commands.glob import PatternTooLong, literal, matcher
from respkv.commands.reply import Reply, array_header, bulk
from respkv.errors import CommandError
from respkv.storage.iterators import View, client_key, walk
from respkv.storage.keys import PREFIX_SIZE, SLOTS, Kind, prefix

COLLECT_BYTES_MAX = 4 << 20
PIECE_BYTES = 64 << 10
SCAN_COUNT_DEFAULT = 10
SCAN_BYTES_MAX = 8 << 20
RANDOM_CANDIDATES = 64
PATTERN_TOO_LONG = "ERR pattern too long"

Matches = Callable[[bytes], object]


def _matcher(pattern: bytes | None) -> Matches | None:
    """What a pattern matches; None for everything."""
    if pattern is None or pattern == b"*":
        return None
    try:
        return matcher(pattern)
    except PatternTooLong:
        raise CommandError(PATTERN_TOO_LONG) from None


# ---- KEYS
# ----------------------------------------------------------------------------------------------------


class _Listing:
    """One KEYS: all matching keys of a database in a view, as pieces of a reply. One thread at a time."""

    def __init__(self, view: View, db: int, now_ms: int, matches: Matches | None) -> None:
        self._walk = partial(walk, view, db, now_ms)
        self._matches = matches
        self.count = 0
        self.collected = b""
        self._resume: bytes | None = None

    def _matching(self, start: bytes = b"") -> Iterator[tuple[list[bytes], bytes]]:
        matches = self._matches
        for entries, last in self._walk(start):
            keys = map(client_key, entries)
            yield (list(keys) if matches is None else [key for key in keys if matches(key)]), last

    def collect(self) -> None:
        """Walk to the end: keep the first keys encoded, count all."""
        parts: list[bytes] = []
        size = 0
        for keys, last in self._matching():
            self.count += len(keys)
            if self._resume is None:
                piece = b"".join(map(bulk, keys))
                parts.append(piece)
                size += len(piece)
                if size > COLLECT_BYTES_MAX:
                    self._resume = last + b"\0"
        self.collected = b"".join(parts)

    def rest(self) -> Iterator[bytes]:
        """Yield the encoded keys that were counted but not kept."""
        if self._resume is None:
            return
        parts: list[bytes] = []
        size = 0
        for keys, _ in self._matching(self._resume):
            piece = b"".join(map(bulk, keys))
            parts.append(piece)
            size += len(piece)
            if size >= PIECE_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
        yield b"".join(parts)


async def keys(ctx: Context, args: Arguments) -> AsyncIterator[bytes]:
    """KEYS pattern."""
    pattern = args[1]
    store, run = ctx.store, ctx.services.run
    db, now_ms = store.databases.stored(ctx.db), store.now_ms()
    exact = literal(pattern)
    view = store.view()
    try:
        if exact is not None:
            cell = await run(view.get, store.internal_key(ctx.db, exact))
            yield array_header(1) + bulk(exact) if cell and cell.live(now_ms) else array_header(0)
            return
        listing = _Listing(view, db, now_ms, _matcher(pattern))
        await run(listing.collect)
        yield array_header(listing.count) + listing.collected
        pieces = listing.rest()
        while (piece := await run(next, pieces, None)) is not None:
            yield piece
    finally:
        view.release()


# ---- SCAN
# ----------------------------------------------------------------------------------------------------


class _ScanOptions:
    """The options of a SCAN."""

    def __init__(self, words: Arguments) -> None:
        self.matches: Matches | None = None
        self.count = SCAN_COUNT_DEFAULT
        self.type: bytes | None = None
        if len(words) % 2:
            self._check_names(words)
            raise CommandError(SYNTAX)
        for name, value in zip(words[::2], words[1::2], strict=True):
            option = name.upper()
            if option == b"COUNT":
                self.count = integer(value, NOT_AN_INTEGER)
                if self.count < 1:
                    raise CommandError(SYNTAX)
            elif option == b"MATCH":
                self.matches = _matcher(value)
            elif option == b"TYPE":
                self.type = value.lower()
            else:
                raise CommandError(SYNTAX)

    @staticmethod
    def _check_names(words: Arguments) -> None:
        """As Redis does, find a bad number before a missing one."""
        for name, value in zip(words[::2], words[1::2], strict=False):
            if name.upper() == b"COUNT" and integer(value, NOT_AN_INTEGER) < 1:
                raise CommandError(SYNTAX)


def _cursor(argument: bytes) -> int:
    """An unsigned number as strtoul takes it: a sign is allowed, and so is nothing."""
    digits = argument[1:] if argument[:1] in (b"-", b"+") else argument
    if argument and not digits.isdigit():
        raise CommandError("ERR invalid cursor")
    number = int(digits or b"0")
    if number > UINT64_MAX:
        raise CommandError("ERR invalid cursor")
    return -number % (UINT64_MAX + 1) if argument[:1] == b"-" else number


def scan_step(
    view: View, db: int, now_ms: int, position: Position, count: int
) -> tuple[list[bytes], Position | None]:
    """Take keys from a place on.

    Args:
        view: what to read.
        db: stored database.
        now_ms: what has expired by then is left out.
        position: where to begin.
        count: how many keys are enough.

    Returns:
        The keys, and where to go on; None: they were the last.
    """
    start = prefix(position.slot, Kind.META, db)
    if position.after is not None:
        start += position.after + b"\0"
    found: list[bytes] = []
    slot, size = position.slot, 0
    for entries, _ in walk(view, db, now_ms, start, long=count > 1000):
        for entry in entries:
            entry_slot = int.from_bytes(entry.key[:2], "big")
            if len(found) >= count or size > SCAN_BYTES_MAX:
                # The next key tells whether this is a border between slots, for which no memory is needed.
                return found, Position(entry_slot) if entry_slot != slot else Position(slot, found[-1])
            found.append(entry.key[PREFIX_SIZE:])
            size += len(entry.key)
            slot = entry_slot
    return found, None


async def scan(ctx: Context, args: Arguments) -> Reply:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]."""
    cursor = _cursor(args[1])
    options = _ScanOptions(args[2:])
    store, positions = ctx.store, ctx.services.positions
    db = store.databases.stored(ctx.db)
    position = positions.position(db, cursor)
    view, now_ms = store.view(), store.now_ms()
    try:
        found, following = await ctx.services.run(scan_step, view, db, now_ms, position, options.count)
    finally:
        view.release()
    next_cursor = positions.cursor(db, following) if following else 0
    if options.type not in (None, b"string"):
        found = []
    if options.matches is not None:
        found = [key for key in found if options.matches(key)]
    return [str(next_cursor), found]


# ---- RANDOMKEY, DBSIZE
# ---------------------------------------------------------------------------------------


def random_candidates(view: View, db: int, now_ms: int, slot: int) -> list[bytes]:
    """Return the keys of a slot and of some after it, round the end, at least RANDOM_CANDIDATES if there are
    so many.

    A whole slot and more, so that keys after empty slots are not much likelier than others.
    """
    found: list[bytes] = []
    for first, last in ((slot, SLOTS), (0, slot)):
        for entries, passed in walk(view, db, now_ms, prefix(first, Kind.META, db), long=False):
            at = int.from_bytes(passed[:2], "big")
            found += [
                entry.key[PREFIX_SIZE:] for entry in entries if int.from_bytes(entry.key[:2], "big") < last
            ]
            if at >= last:
                break
            if len(found) >= RANDOM_CANDIDATES and at > slot:
                return found
    return found


async def randomkey(ctx: Context, args: Arguments) -> Reply:
    """RANDOMKEY."""
    store, chance = ctx.store, ctx.services.chance
    slot = int.from_bytes(chance(4), "big") % SLOTS
    view, now_ms = store.view(), store.now_ms()
    try:
        db = store.databases.stored(ctx.db)
        found = await ctx.services.run(random_candidates, view, db, now_ms, slot)
    finally:
        view.release()
    return found[int.from_bytes(chance(8), "big") % len(found)] if found else None


async def dbsize(ctx: Context, args: Arguments) -> Reply:
    """DBSIZE: exact; counted on a worker thread unless nothing has changed since the last time."""
    census = await ctx.services.counts.current()
    return census.of(ctx.store.databases.stored(ctx.db)).keys


HANDLERS: dict[str, Handler] = {"dbsize": dbsize, "keys": keys, "randomkey": randomkey, "scan": scan}
