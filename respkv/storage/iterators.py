"""Walks over the keys of one stored database, for worker threads. The long ones (KEYS, SCAN, counting) are
done in C; these are for a few keys, and for dropping a database.

Keys lie by slot first, so the keys of one database are 16,384 short stretches among those of the others:

    slot 0: META db0 keys | META db1 keys | DATA ...    slot 1: META db0 keys | ...

A walk reads what comes and leaves out what is not its own; where a chunk ends in foreign keys it seeks to its
next stretch. So one full database costs one pass, and one that is empty beside full ones at most a seek a
slot.

A walk sees the view's moment: what was there all along is met once, whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from respkv.native import KeyPage
from respkv.storage.cells import Cell, Entry
from respkv.storage.census import Census
from respkv.storage.keys import ALL_KEYS, PREFIX_SIZE, SLOTS, Kind, prefix_end

__all__ = ["Cursor", "KeyPage", "View", "any_outside", "client_key", "walk", "walk_all_kinds"]

CHUNK_BYTES_MIN = 2 << 10
CHUNK_BYTES_MAX = 64 << 10


class Cursor(Protocol):
    """An iterator of the engine (native.Cursor)."""

    def seek(self, key: bytes, for_prev: bool = False) -> None:
        """Stand on the first key at or after key."""

    def chunk(self, bytes_max: int, values: bool = True, backwards: bool = False) -> list[Entry]:
        """Take some entries from there; none at the end."""

    def keys(
        self, db: int, pattern: bytes | None, examined_max: int, bytes_max: int, write: bool = True
    ) -> KeyPage:
        """Walk over the client keys of a stored database from there; none of it in Python."""

    def close(self) -> None:
        """Give it back."""


class View(Protocol):
    """A stable picture of the store (native.View)."""

    def get(self, key: bytes) -> Cell | None:
        """Return the winning cell of an internal key, dead ones too."""

    def iterate(self, lower: bytes = b"", upper: bytes = b"", now_ms: int = 0, scan: bool = False) -> Cursor:
        """Iterate over the live cells of [lower, upper) at now_ms; scan leaves the cache alone."""

    def census(self, now_ms: int) -> Census:
        """Count the live keys of every stored database."""

    def release(self) -> None:
        """Give it back."""


def walk(
    view: View, db: int, now_ms: int, start: bytes = b"", *, long: bool = True
) -> Iterator[tuple[list[Entry], bytes]]:
    """Walk over the live keys of a stored database in order.

    Args:
        view: what to read; the caller releases it.
        db: stored database.
        now_ms: what has expired by then is left out.
        start: internal key to begin at.
        long: the whole of it will be read: leave the block cache alone, begin with large chunks.

    Yields:
        Entries without values, perhaps none, and the internal key up to which the walk has come.
    """
    wanted = bytes((Kind.META, db))
    cursor = view.iterate(start, ALL_KEYS[1], now_ms, long)
    size = CHUNK_BYTES_MAX if long else CHUNK_BYTES_MIN
    try:
        while entries := cursor.chunk(size, False):
            last = entries[-1].key
            yield [entry for entry in entries if entry.key[2:4] == wanted], last
            if last[2:4] != wanted:
                target = next_stretch(last, wanted)
                if target is None:
                    return
                cursor.seek(target)
            size = min(2 * size, CHUNK_BYTES_MAX)
    finally:
        cursor.close()


def next_stretch(key: bytes, wanted: bytes) -> bytes | None:
    """Return where the next keys of a kind and database may begin after a foreign key; None: nowhere."""
    slot = int.from_bytes(key[:2], "big") + (key[2:4] > wanted)
    return slot.to_bytes(2, "big") + wanted if slot < SLOTS else None


def client_key(entry: Entry) -> bytes:
    """Return the client's key of a META entry."""
    return entry.key[PREFIX_SIZE:]


def any_outside(view: View, dbs: frozenset[int], now_ms: int) -> bool:
    """Say whether any live key belongs to a stored database other than these. At most some seeks a slot."""
    cursor = view.iterate(*ALL_KEYS, now_ms, True)
    try:
        while entries := cursor.chunk(1, False):
            for entry in entries:
                if entry.key[3] not in dbs:
                    return True
            beyond = prefix_end(entries[-1].key[:PREFIX_SIZE])
            if not beyond or beyond >= ALL_KEYS[1]:
                return False
            cursor.seek(beyond)
        return False
    finally:
        cursor.close()


def walk_all_kinds(view: View, db: int, now_ms: int) -> Iterator[list[bytes]]:
    """Yield the internal keys of all that lives in a stored database, of every kind, in chunks."""
    cursor = view.iterate(*ALL_KEYS, now_ms, True)
    try:
        while entries := cursor.chunk(CHUNK_BYTES_MAX, False):
            yield [entry.key for entry in entries if entry.key[3] == db]
            last = entries[-1].key
            if last[3] != db:
                cursor.seek(_next_of_database(last, db))
    finally:
        cursor.close()


def _next_of_database(key: bytes, db: int) -> bytes:
    """Where the next keys of a database may begin after a foreign key, of whatever kind."""
    if key[3] < db:
        return key[:3] + bytes((db,))
    following = prefix_end(key[:3])
    return (following or ALL_KEYS[1]) + bytes((db,))
