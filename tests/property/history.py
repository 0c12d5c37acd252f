"""Random histories of commit batches, and stores compared with the obvious twin.

A history is a list of batches as replicas might send them: many writers, versions close together, the same
key again and again, deletions, expiry, range deletions, values small and large. No two cells of one key have
the same version, which in a sound store cannot happen; a batch may come any number of times.
"""

import random
from collections.abc import Sequence

from respkv.native import Cell, Entry, Store
from respkv.storage.batch import BatchWriter
from respkv.storage.model import Model

SLOTS = (0, 1, 5461, 16383)
NODES = (1, 2, 3)


class History:
    """Batches from a seed."""

    def __init__(self, seed: int, now_ms: int, *, deletions: bool) -> None:
        self.random = random.Random(seed)
        self.deletions = deletions
        self.now_ms = now_ms
        # An hour back, so that everything may have expired or not.
        self.clock = (now_ms - 3_600_000) << 16
        tails = [b"", b"\x00", b"\xff", *(b"k%d" % n for n in range(12)), b"k" * 300]
        self.keys = [slot.to_bytes(2) + b"\x00\x00" + tail for slot in SLOTS for tail in tails]

    def batches(self, count: int) -> list[bytes]:
        """So many, in the order in which they were made."""
        return [self.batch() for _ in range(count)]

    def batch(self) -> bytes:
        """One batch of a few changes at one version."""
        chance = self.random
        # Stamps of different nodes may be equal or go backwards between batches, never within a node's key.
        self.clock += chance.choice([1, 1, 1, 65536, 65536 * 100])
        writer = BatchWriter(self.clock, chance.choice(NODES))
        for key in chance.sample(self.keys, chance.randrange(1, 8)):
            roll = chance.random()
            if self.deletions and roll < 0.2:
                writer.delete(key)
            elif self.deletions and roll < 0.22:
                lower, upper = sorted(chance.sample(self.keys, 2))
                writer.delete_range(lower, b"" if chance.random() < 0.1 else upper)
            else:
                writer.put(key, self.value(), self.expiry() if self.deletions else 0)
        return writer.encode()

    def value(self) -> bytes:
        """Mostly short; some long enough for the value log."""
        chance = self.random
        size = chance.choice([0, 1, 20, 20, 100, 1000, 5000] + [9000, 70_000] * (chance.random() < 0.2))
        return b"s" + chance.randbytes(size)

    def expiry(self) -> int:
        """Never, long ago or long from now: not while the test runs."""
        return self.random.choice([0, 0, 0, self.now_ms - 1_000_000, self.now_ms + 1_000_000])

    def shuffled(self, batches: Sequence[bytes]) -> list[bytes]:
        """The batches in another order, some of them several times."""
        again = [b for b in batches for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        self.random.shuffle(again)
        return again


def twin(batches: Sequence[bytes], now_ms: int) -> Model:
    """The obvious store that has had these batches."""
    model = Model(lambda: now_ms)
    for batch in batches:
        model.write(batch)
    return model


def entries(store: Store | Model, now_ms: int, *, backwards: bool = False) -> list[Entry]:
    """Every live entry, in key order, through an iterator."""
    view = store.view()
    cursor = view.iterate(b"", b"", now_ms)
    try:
        if backwards:
            cursor.seek(b"", for_prev=True)
        found: list[Entry] = []
        while chunk := cursor.chunk(10_000, backwards=backwards):
            found += chunk
        return found[::-1] if backwards else found
    finally:
        cursor.close()
        view.release()


def differences(store: Store, model: Model, keys: Sequence[bytes], now_ms: int) -> list[str]:
    """What a reader at now_ms sees in one and not in the other: points, iterators both ways, counts."""
    faults = []
    for key in keys:
        got, expected = live(store.get(key), now_ms), live(model.get(key), now_ms)
        if got != expected:
            faults.append(f"get {key!r}: {_short(got)}, should be {_short(expected)}")
    expected_all = entries(model, now_ms)
    if entries(store, now_ms) != expected_all:
        faults.append("the iterator shows something else")
    if entries(store, now_ms, backwards=True) != expected_all:
        faults.append("the iterator shows something else backwards")
    view = store.view()
    if view.count(b"", b"", now_ms) != len(expected_all):
        faults.append(f"count {view.count(b'', b'', now_ms)}, should be {len(expected_all)}")
    view.release()
    return faults


def live(cell: Cell | None, now_ms: int) -> Cell | None:
    """What a reader sees of a cell."""
    return cell if cell and cell.live(now_ms) else None


def _short(cell: object) -> str:
    return repr(cell)[:150]
