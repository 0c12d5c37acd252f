"""Commands that walk over keys: KEYS, SCAN, RANDOMKEY, DBSIZE. They walk on a worker thread over a view,
never on the loop.

KEYS has to say how many keys follow before the first. It collects what matches up to COLLECT_BYTES_MAX; a
longer reply is counted to its end, then sent: what was collected first, the rest from a second walk over the
same view, in pieces as the client takes them. The same view at the same moment gives the same keys, and
memory stays bounded. SCAN may look at fewer keys than its COUNT says: its reply is bounded too.

Walking, matching and encoding are done in C, without the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from respkv.commands.arguments import NOT_AN_INTEGER, SYNTAX, UINT64_MAX, integer
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.cursors import Position
from respkv.commands.reply import Encoded, Reply, array_header, bulk
from respkv.errors import CommandError
from respkv.storage.glob import PATTERN_SIZE_MAX, literal
from respkv.storage.iterators import Cursor, KeyPage, View, walk
from respkv.storage.keys import ALL_KEYS, PREFIX_SIZE, SLOTS, Kind, prefix

COLLECT_BYTES_MAX = 4 << 20
PIECE_BYTES = 64 << 10
STEP_KEYS = 50_000
SCAN_COUNT_DEFAULT = 10
SCAN_COUNT_MAX = 1_000_000
SCAN_BYTES_MAX = 4 << 20
LONG_SCAN_COUNT = 1000
RANDOM_CANDIDATES = 64
PATTERN_TOO_LONG = "ERR pattern too long"


def _checked(pattern: bytes) -> bytes | None:
    """A pattern that is not too long; None for the one that everything matches."""
    if len(pattern) > PATTERN_SIZE_MAX and literal(pattern) is None:
        raise CommandError(PATTERN_TOO_LONG)
    return None if pattern == b"*" else pattern


# ---- KEYS
# ----------------------------------------------------------------------------------------------------


class _Listing:
    """One KEYS: the matching keys of a database in a view, as pieces of a reply. One thread at a time."""

    def __init__(self, view: View, db: int, now_ms: int, pattern: bytes | None) -> None:
        self._view = view
        self._db = db
        self._now_ms = now_ms
        self._pattern = pattern
        self._resume: bytes | None = None
        self.count = 0
        self.collected: list[bytes] = []

    def collect(self) -> None:
        """Walk to the end: keep the first keys, count all."""
        size = 0
        cursor = self._cursor(b"")
        try:
            following: bytes | None = b""
            while following is not None:
                full = size >= COLLECT_BYTES_MAX
                if full and self._resume is None:
                    self._resume = following
                page = cursor.keys(self._db, self._pattern, STEP_KEYS, PIECE_BYTES, not full)
                self.count += page.matched
                size += len(page.data)
                if page.data:
                    self.collected.append(page.data)
                following = page.following
        finally:
            cursor.close()

    def rest(self) -> Iterator[bytes]:
        """Yield the keys that were counted but not kept."""
        if self._resume is None:
            return
        cursor = self._cursor(self._resume)
        try:
            following: bytes | None = self._resume
            while following is not None:
                page = cursor.keys(self._db, self._pattern, STEP_KEYS, PIECE_BYTES)
                following = page.following
                yield page.data
        finally:
            cursor.close()

    def _cursor(self, start: bytes) -> Cursor:
        return self._view.iterate(start, ALL_KEYS[1], self._now_ms, True)


async def keys(ctx: Context, args: Arguments) -> AsyncIterator[bytes]:
    """KEYS pattern."""
    store, run = ctx.store, ctx.services.run
    db, now_ms = store.databases.stored(ctx.db), store.now_ms()
    exact = literal(args[1])
    pattern = _checked(args[1])
    view = store.view()
    try:
        if exact is not None:
            cell = await run(view.get, store.internal_key(ctx.db, exact))
            yield array_header(1) + bulk(exact) if cell and cell.live(now_ms) else array_header(0)
            return
        listing = _Listing(view, db, now_ms, pattern)
        await run(listing.collect)
        yield array_header(listing.count)
        for piece in listing.collected:
            yield piece
        pieces = listing.rest()
        while (more := await run(next, pieces, None)) is not None:
            yield more
    finally:
        view.release()


# ---- SCAN
# ----------------------------------------------------------------------------------------------------


class _ScanOptions:
    """The options of a SCAN."""

    def __init__(self, words: Arguments) -> None:
        self.pattern: bytes | None = None
        self.count = SCAN_COUNT_DEFAULT
        self.type: bytes | None = None
        for name, value in zip(words[::2], words[1::2], strict=False):
            option = name.upper()
            if option == b"COUNT":
                self.count = integer(value, NOT_AN_INTEGER)
                if self.count < 1:
                    raise CommandError(SYNTAX)
            elif option == b"MATCH":
                self.pattern = _checked(value)
            elif option == b"TYPE":
                self.type = value.lower()
            else:
                raise CommandError(SYNTAX)
        if len(words) % 2:
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
    view: View, db: int, now_ms: int, position: Position, count: int, pattern: bytes | None
) -> tuple[KeyPage, Position | None]:
    """Take keys from a place on.

    Args:
        view: what to read.
        db: stored database.
        now_ms: what has expired by then is left out.
        position: where to begin.
        count: how many keys to look at.
        pattern: which of them to take; None: all.

    Returns:
        The keys, and where to go on; None: they were the last.
    """
    start = prefix(position.slot, Kind.META, db) + (position.key or b"")
    cursor = view.iterate(start, ALL_KEYS[1], now_ms, count >= LONG_SCAN_COUNT)
    try:
        page = cursor.keys(db, pattern, min(count, SCAN_COUNT_MAX), SCAN_BYTES_MAX)
    finally:
        cursor.close()
    if page.following is None:
        return page, None
    slot = int.from_bytes(page.following[:2], "big")
    return page, Position(slot, None if page.new_slot else page.following[PREFIX_SIZE:])


async def scan(ctx: Context, args: Arguments) -> Reply:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]."""
    cursor = _cursor(args[1])
    options = _ScanOptions(args[2:])
    store, positions = ctx.store, ctx.services.positions
    db = store.databases.stored(ctx.db)
    position = positions.position(db, cursor)
    view, now_ms = store.view(), store.now_ms()
    try:
        page, following = await ctx.services.run(
            scan_step, view, db, now_ms, position, options.count, options.pattern
        )
    finally:
        view.release()
    next_cursor = str(positions.cursor(db, following) if following else 0)
    found = options.type in (None, b"string")
    return [next_cursor, Encoded(array_header(page.matched) + page.data if found else array_header(0))]


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
