"""Transactions, and whole databases exchanged and emptied."""

from respkv.clock import ManualClock
from respkv.storage.cells import type_name
from respkv.storage.model import Model
from respkv.storage.store import Store


def put(store: Store, db: int, key: bytes, value: bytes, expires_at_ms: int = 0) -> None:
    transaction = store.transaction()
    transaction.set(db, key, b"s" + value, expires_at_ms)
    transaction.commit()


def get(store: Store, db: int, key: bytes) -> bytes | None:
    cell = store.transaction().get(db, key)
    return cell.payload[1:] if cell else None


def new_store(model: Model | None = None) -> Store:
    return Store(model or Model(ManualClock(1000).now_ms), 1, 16)


def test_a_transaction_is_one_batch() -> None:
    store = new_store()
    before = store.marker()
    transaction = store.transaction()
    assert transaction.commit() == 0
    transaction.set(0, b"a", b"s1")
    transaction.delete(0, b"b")
    assert get(store, 0, b"a") is None
    assert transaction.commit() == before + 1 == store.marker()
    cell = store.transaction().get(0, b"a")
    assert cell is not None and type_name(cell) == "string"


def test_what_has_expired_is_not_there() -> None:
    clock = ManualClock(1000)
    store = Store(Model(clock.now_ms), 1, 16)
    put(store, 0, b"k", b"v", 1500)
    clock.advance(499)
    assert get(store, 0, b"k") == b"v"
    clock.advance(1)
    assert get(store, 0, b"k") is None


def test_swap_and_flush_are_small_and_lasting() -> None:
    model = Model(ManualClock(1000).now_ms)
    store = new_store(model)
    put(store, 0, b"k", b"zero")
    put(store, 1, b"k", b"one")
    seq = store.marker()
    assert store.swap(0, 1) == seq + 1
    assert store.flush(0) == seq + 2
    for same in (store, new_store(model)):
        assert get(same, 0, b"k") is None
        assert get(same, 1, b"k") == b"zero"
        assert list(same.databases.dropping) == [1]
    put(store, 0, b"k", b"new")
    store.dropped(1)
    assert get(new_store(model), 0, b"k") == b"new"
    assert new_store(model).databases.dropping == {}


def test_flush_all_is_one_range() -> None:
    model = Model(ManualClock(1000).now_ms)
    store = new_store(model)
    for db in range(16):
        put(store, db, b"k", b"v")
    store.swap(0, 1)
    store.flush(2)
    store.flush_all()
    put(store, 3, b"new", b"v")
    for same in (store, new_store(model)):
        assert list(same.databases.mapping()) == list(range(16))
        assert same.databases.dropping == {}
        assert [get(same, db, b"k") for db in range(16)] == [None] * 16
        assert get(same, 3, b"new") == b"v"


def test_a_census_counts_live_keys() -> None:
    clock = ManualClock(1000)
    store = Store(Model(clock.now_ms), 1, 16)
    put(store, 0, b"a", b"v")
    put(store, 0, b"b", b"v", 3000)
    put(store, 0, b"c", b"v", 2000)
    put(store, 5, b"a", b"v")
    put(store, 5, b"dead", b"v", 900)
    census = store.view().census(store.now_ms())
    assert census.of(0) == (3, 2, 3000)
    assert census.of(5) == (1, 0, 0)
    assert census.of(9) == (0, 0, 0)
    assert census.next_expiry_ms == 2000
