"""SCAN's cursors: numbers that stand for places among the keys.

    cursor := id << 14 | slot        0 begins and ends a scan; id 0: the beginning of the slot

A place within a slot is remembered here under its id, the key to go on at; a place between slots
needs no memory. The oldest are forgotten beyond POSITIONS_MAX of them or BYTES_MAX of keys. A cursor whose
place was forgotten, or that comes from before a restart, goes back to the beginning of its slot: SCAN may
give a key twice, but never loses one.

Ids count up from a random start, so that those of an earlier process are unknown instead of wrong.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from respkv.storage.keys import SLOTS

SLOT_BITS = 14
POSITIONS_MAX = 65_536
BYTES_MAX = 32 << 20
ID_MAX = 1 << 48


@dataclass(frozen=True)
class Position:
    """Where a scan goes on: in a slot, at a key or the first after it (None: at the slot's beginning)."""

    slot: int
    key: bytes | None = None


@dataclass(frozen=True)
class _Kept:
    db: int
    position: Position


class ScanPositions:
    """The places that cursors stand for."""

    def __init__(self, start: int) -> None:
        """Begin with ids from a random number."""
        self._next_id = start % (ID_MAX // 2) + 1
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._bytes = 0

    def cursor(self, db: int, position: Position) -> int:
        """Return a cursor for a place in a stored database."""
        if position.key is None:
            return position.slot
        number = self._next_id
        self._next_id = number + 1 if number + 1 < ID_MAX else 1
        self._kept[number] = _Kept(db, position)
        self._bytes += len(position.key)
        while len(self._kept) > POSITIONS_MAX or (self._bytes > BYTES_MAX and len(self._kept) > 1):
            _, old = self._kept.popitem(last=False)
            self._bytes -= len(old.position.key or b"")
        return number << SLOT_BITS | position.slot

    def position(self, db: int, cursor: int) -> Position:
        """Return the place that a cursor stands for in a stored database."""
        slot = cursor % SLOTS
        kept = self._kept.get(cursor >> SLOT_BITS)
        if kept and kept.db == db and kept.position.slot == slot:
            return kept.position
        return Position(slot)
