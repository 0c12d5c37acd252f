"""Flushed databases are dropped, whatever happens meanwhile, and nothing else is."""

import asyncio
from collections.abc import Callable

import pytest

from respkv.clock import ManualClock
from respkv.server import dropper
from respkv.server.dropper import Dropper
from respkv.server.workers import Workers
from respkv.storage.keys import ALL_KEYS
from respkv.storage.model import Model
from respkv.storage.store import Store


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropper, "BATCH_PAUSE_S", 0)
    monkeypatch.setattr(dropper, "QUIET_PAUSE_S", 0)
    monkeypatch.setattr(dropper, "KEYS_A_BATCH", 7)


def new_store() -> Store:
    return Store(Model(ManualClock(1000).now_ms), 1, 16)


def put(store: Store, db: int, key: bytes) -> None:
    transaction = store.transaction()
    transaction.set(db, key, b"sv")
    transaction.commit()


def stored_keys(store: Store) -> int:
    return len(store.view().iterate(*ALL_KEYS, 1).chunk(1 << 30))


def drop(
    store: Store, quiet: Callable[[], bool] = lambda: True, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Run a dropper until there is nothing left to drop."""

    async def main() -> None:
        workers = Workers()
        worker = Dropper(store, workers, quiet, print)
        task = asyncio.create_task(worker.run())
        worker.wake()
        while store.databases.dropping:
            meanwhile()
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        workers.close()

    asyncio.run(main())


def test_alone_in_the_store_it_goes_in_one_write() -> None:
    store = new_store()
    for n in range(100):
        put(store, 0, b"%d" % n)
    store.flush(0)
    before = store.marker()
    drop(store)
    assert store.marker() == before + 2
    assert stored_keys(store) == 0


def test_beside_others_it_goes_key_by_key() -> None:
    store = new_store()
    for n in range(100):
        put(store, 0, b"%d" % n)
        put(store, 1, b"%d" % n)
    store.flush(0)
    drop(store)
    assert stored_keys(store) == 100
    assert store.transaction().get(1, b"5")


def test_new_keys_of_the_flushed_database_stay() -> None:
    store = new_store()
    put(store, 0, b"old")
    store.flush(0)
    put(store, 0, b"new")
    drop(store)
    assert store.transaction().get(0, b"new")
    assert stored_keys(store) == 1


def test_while_large_values_are_written_nothing_is_range_deleted() -> None:
    """A value that got its version before the drop and is put after it must live."""
    store = new_store()
    put(store, 0, b"old")
    store.flush(0)
    early = store.batch()
    early.put(store.internal_key(5, b"large"), b"sv")
    waiting = [True] * 20

    def quiet() -> bool:
        if waiting:
            waiting.pop()
            if not waiting:
                store.engine.write(early.encode())
            return False
        return True

    drop(store, quiet)
    assert store.transaction().get(5, b"large")


def test_without_a_quiet_moment_it_goes_key_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropper, "QUIET_TRIES", 3)
    store = new_store()
    for n in range(50):
        put(store, 0, b"%d" % n)
    store.flush(0)
    drop(store, lambda: False)
    assert stored_keys(store) == 0


def test_flushall_in_the_middle() -> None:
    """Its numbers are free at once; a drop that has begun must not touch what is written under them."""
    store = new_store()
    for n in range(200):
        put(store, 0, b"%d" % n)
        put(store, 1, b"%d" % n)
    store.flush(0)
    rounds = 0

    def meanwhile() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 5:
            store.flush_all()
            for n in range(200):
                put(store, 0, b"%d" % n)

    drop(store, meanwhile=meanwhile)
    assert stored_keys(store) == 200


def test_a_drop_goes_on_after_a_restart() -> None:
    store = new_store()
    put(store, 0, b"a")
    put(store, 1, b"a")
    store.flush(0)
    again = Store(store.engine, 1, 16)
    assert again.databases.dropping
    drop(again)
    assert stored_keys(again) == 1
    assert not Store(store.engine, 1, 16).databases.dropping
