"""The engine's obvious twin: a dictionary of winning cells and a list of range deletions.

It is what the engine's laws are tested against, and a store for the tests of everything above it. No files,
no threads, no cleverness; every operation may cost the whole store.

Law: applying the same batches in any order, any number of times, gives the same store.
"""

from __future__ import annotations

from collections.abc import Callable

from respkv.native import KeyPage
from respkv.storage.batch import read_batch
from respkv.storage.cells import TOMBSTONE, Cell, Entry
from respkv.storage.census import Census, count_entries
from respkv.storage.glob import matcher
from respkv.storage.keys import ALL_KEYS, PREFIX_SIZE, Kind

HLC_COUNTER_BITS = 16
RECORD_SIZE = 32


def wins(new: Cell, old: Cell) -> bool:
    """Say whether a cell replaces another: by version, then by all the rest, so that any order agrees."""

    def rank(cell: Cell) -> tuple[int, int, int, bytes, int]:
        return cell.hlc, cell.node, cell.flags, cell.payload, cell.expires_at_ms

    return rank(new) > rank(old)


class Model:
    """A store in memory, of the shape of native.Store."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._last_hlc = 0
        self._cells: dict[bytes, Cell] = {}
        self._ranges: list[tuple[bytes, bytes, int, int]] = []
        self.seq = 0

    def now_ms(self) -> int:
        """Return the wall time that was handed in."""
        return self._now_ms()

    def tick(self) -> int:
        """Return a version stamp above all given or applied before."""
        self._last_hlc = max(self._last_hlc + 1, self._now_ms() << HLC_COUNTER_BITS)
        return self._last_hlc

    def write(self, batch: bytes) -> int:
        """Merge a batch; return a sequence number that grows."""
        for entry in read_batch(batch):
            self._last_hlc = max(self._last_hlc, entry.hlc)
            if entry.is_range:
                self._ranges.append((entry.key, entry.value, entry.hlc, entry.node))
                continue
            flags = TOMBSTONE if entry.tombstone else 0
            new = Cell(entry.value, entry.hlc, entry.node, flags, entry.expires_at_ms)
            old = self._cells.get(entry.key)
            if old is None or wins(new, old):
                self._cells[entry.key] = new
        self.seq += 1
        return self.seq

    def _covered(self, key: bytes, cell: Cell) -> bool:
        return any(
            lower <= key and (not upper or key < upper) and (cell.hlc, cell.node) < (hlc, node)
            for lower, upper, hlc, node in self._ranges
        )

    def get(self, key: bytes) -> Cell | None:
        """Return the winning cell of a key, dead ones too, but none that a range deletion covers."""
        cell = self._cells.get(key)
        return None if cell is None or self._covered(key, cell) else cell

    def view(self) -> ModelView:
        """Copy everything."""
        return ModelView({key: cell for key, cell in self._cells.items() if not self._covered(key, cell)})

    def sync(self) -> None:
        """Do nothing: there is no disk."""

    def stats(self) -> dict[str, int]:
        """Return no figures."""
        return {}

    def last_seq(self) -> int:
        """Return how many batches were applied."""
        return self.seq


class ModelView:
    """A copy of a model, of the shape of native.View."""

    def __init__(self, cells: dict[bytes, Cell]) -> None:
        self._cells = cells
        self.released = False

    def get(self, key: bytes) -> Cell | None:
        """Return the winning cell of a key, dead ones too."""
        return self._cells.get(key)

    def iterate(
        self, lower: bytes = b"", upper: bytes = b"", now_ms: int = 0, scan: bool = False
    ) -> ModelCursor:
        """Iterate over [lower, upper); now_ms 0 shows dead cells too."""
        return ModelCursor(self._entries(lower, upper, now_ms))

    def _entries(self, lower: bytes, upper: bytes, now_ms: int) -> list[Entry]:
        return [
            Entry(key, cell.payload, cell.flags, cell.node, cell.hlc, cell.expires_at_ms)
            for key, cell in sorted(self._cells.items())
            if lower <= key and (not upper or key < upper) and (now_ms == 0 or cell.live(now_ms))
        ]

    def census(self, now_ms: int) -> Census:
        """Count the live keys of every database."""
        return count_entries(self._entries(*ALL_KEYS, now_ms), now_ms)

    def release(self) -> None:
        """Note that nobody needs it."""
        self.released = True


class ModelCursor:
    """A place in a sorted list, of the shape of native.Cursor."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._at = 0

    def seek(self, key: bytes, for_prev: bool = False) -> None:
        """Stand on the first key >= key, or with for_prev on the last key < key."""
        at = sum(entry.key < key for entry in self._entries)
        self._at = at - 1 if for_prev else at

    def chunk(self, bytes_max: int, values: bool = True, backwards: bool = False) -> list[Entry]:
        """Take entries of about bytes_max together, at least one."""
        taken: list[Entry] = []
        size, step = 0, -1 if backwards else 1
        while 0 <= self._at < len(self._entries) and (not taken or size < bytes_max):
            entry = self._entries[self._at]
            entry = entry if values else entry._replace(payload=b"")
            taken.append(entry)
            size += RECORD_SIZE + len(entry.key) + len(entry.payload)
            self._at += step
        return taken

    def keys(
        self, db: int, pattern: bytes | None, examined_max: int, bytes_max: int, write: bool = True
    ) -> KeyPage:
        """Walk over the client keys of a stored database."""
        matches = matcher(b"*" if pattern is None else pattern)
        data, examined, matched, slot = b"", 0, 0, b""
        for at in range(self._at, len(self._entries)):
            key = self._entries[at].key
            self._at = at
            if key >= ALL_KEYS[1]:
                break
            if key[2:4] != bytes((Kind.META, db)):
                continue
            if examined == examined_max or len(data) >= bytes_max:
                return KeyPage(data, examined, matched, key, bool(slot) and slot != key[:2])
            examined, slot = examined + 1, key[:2]
            if pattern is None or matches(key[PREFIX_SIZE:]):
                matched += 1
                data += b"$%d\r\n%s\r\n" % (len(key) - PREFIX_SIZE, key[PREFIX_SIZE:]) if write else b""
        self._at = len(self._entries)
        return KeyPage(data, examined, matched, None, False)

    def close(self) -> None:
        """Do nothing."""
