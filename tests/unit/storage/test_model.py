"""The model: versions decide, not arrival; and it is of the shape of the engine."""

import random

from hypothesis import given
from hypothesis import strategies as st

from respkv.clock import ManualClock
from respkv.storage.batch import BatchWriter
from respkv.storage.model import Model
from respkv.storage.store import Engine

KEYS = st.binary(min_size=1, max_size=2)
CHANGES = st.lists(
    st.tuples(
        st.integers(1, 50),
        st.integers(1, 3),
        st.sampled_from(["put", "delete", "range"]),
        KEYS,
        KEYS,
        st.integers(0, 99),
    ),
    max_size=30,
)


def batch_of(change: tuple[int, int, str, bytes, bytes, int]) -> bytes:
    hlc, node, what, key, value, expires = change
    batch = BatchWriter(hlc, node)
    if what == "put":
        batch.put(key, value, expires)
    elif what == "delete":
        batch.delete(key)
    else:
        batch.delete_range(min(key, value), max(key, value))
    return batch.encode()


@given(CHANGES, st.randoms(use_true_random=False))
def test_any_order_any_number_of_times(
    changes: list[tuple[int, int, str, bytes, bytes, int]], chance: random.Random
) -> None:
    batches = [batch_of(change) for change in changes]
    shuffled = batches + chance.sample(batches, len(batches) // 2)
    chance.shuffle(shuffled)
    pictures = []
    for order in (batches, shuffled):
        model: Engine = Model(ManualClock(50).now_ms)
        for batch in order:
            model.write(batch)
        with_dead = model.view().iterate().chunk(1 << 30)
        live = model.view().iterate(now_ms=50).chunk(1 << 30)
        pictures.append((with_dead, live))
    assert pictures[0] == pictures[1]


def test_ticks_grow_past_what_was_applied() -> None:
    clock = ManualClock(5)
    model = Model(clock.now_ms)
    first = model.tick()
    assert first == 5 << 16
    assert model.tick() == first + 1
    model.write(batch_of((first + 100, 1, "put", b"k", b"v", 0)))
    assert model.tick() == first + 101
    clock.advance(1)
    assert model.tick() == 6 << 16


def test_a_cursor_goes_both_ways() -> None:
    model = Model(ManualClock(5).now_ms)
    for n in range(5):
        model.write(batch_of((n + 1, 1, "put", b"%d" % n, b"v", 0)))
    cursor = model.view().iterate(b"1", b"4")
    assert [entry.key for entry in cursor.chunk(1)] == [b"1"]
    assert [entry.key for entry in cursor.chunk(1 << 20)] == [b"2", b"3"]
    assert cursor.chunk(1 << 20) == []
    cursor.seek(b"3", for_prev=True)
    assert [entry.key for entry in cursor.chunk(1 << 20, backwards=True)] == [b"2", b"1"]
