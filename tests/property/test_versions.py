"""Versions decide, not arrival: the same batches in any order, any number of times, give the same store.

The engine is compared with model.py, its obvious twin, while it flushes, compacts, is closed and opened,
under options that make every structure small. Deletions are forgotten once nothing older is stored: with
them, batches come in any order only until the first flush, as one node alone promises.
"""

import time
from pathlib import Path

import pytest

from property.history import History, differences, live, twin
from respkv.native import Store, StoreOptions


def name_of(options: StoreOptions) -> str:
    """The options that are not the default."""
    return ",".join(f"{k}={v}" for k, v in vars(options).items() if v is not None) or "defaults"


OPTIONS = [
    StoreOptions(),
    StoreOptions(memory_bytes=16 << 20, memtable_bytes=1 << 20, table_bytes=1 << 20, level_bytes=1 << 20),
    StoreOptions(bloom_bits=0, block_bytes=1024, compress=False, mapped_wal=False, wal_segment_bytes=1 << 20),
    StoreOptions(value_log_min=64, sync_policy=0),
    StoreOptions(value_log_min=1 << 30, sync_policy=2, read_threads=1),
]


def upheaval(store: Store, history: History, directory: str, options: StoreOptions) -> Store:
    """Now and then flush, compact, wait, or close and open."""
    roll = history.random.random()
    if roll < 0.02:
        store.flush()
    elif roll < 0.03:
        store.compact()
    elif roll < 0.035:
        store.wait_idle()
    elif roll < 0.045:
        store.close()
        return Store.open(directory, options)
    return store


@pytest.mark.parametrize("options", OPTIONS, ids=name_of)
def test_order_and_repetition_mean_nothing(options: StoreOptions, tmp_path: Path, seed: int) -> None:
    """Writes only, through every upheaval in between."""
    now_ms = int(time.time() * 1000)
    history = History(seed, now_ms, deletions=False)
    batches = history.batches(600)
    model = twin(batches, now_ms)
    store = Store.open(str(tmp_path / "store"), options)
    for batch in history.shuffled(batches):
        store.write(batch)
        store = upheaval(store, history, str(tmp_path / "store"), options)
    for change in ("none", "flush", "compact", "reopen"):
        store = changed(store, change, str(tmp_path / "store"), options)
        faults = differences(store, model, history.keys, now_ms)
        assert not faults, f"SEED={seed}, after {change}: " + "; ".join(faults[:5])
    assert store.verify() == []
    store.close()


@pytest.mark.parametrize("options", OPTIONS, ids=name_of)
def test_deletions_and_expiry_in_any_order(options: StoreOptions, tmp_path: Path, seed: int) -> None:
    """Everything in any order while it is in memory; then the store is turned over in every way."""
    now_ms = int(time.time() * 1000)
    history = History(seed, now_ms, deletions=True)
    batches = history.batches(120)
    model = twin(batches, now_ms)
    stores = []
    for nth in range(2):
        directory = str(tmp_path / f"store{nth}")
        store = Store.open(directory, options)
        for batch in history.shuffled(batches):
            store.write(batch)
        for change in ("none", "reopen", "flush", "compact", "reopen", "compact"):
            store = changed(store, change, directory, options)
            faults = differences(store, model, history.keys, now_ms)
            assert not faults, f"SEED={seed}, after {change}: " + "; ".join(faults[:5])
        stores.append(store)
    for store in stores:
        assert store.verify() == []
        store.close()


@pytest.mark.parametrize("options", OPTIONS, ids=name_of)
def test_one_writer_through_every_upheaval(options: StoreOptions, tmp_path: Path, seed: int) -> None:
    """Versions that ascend, as one node makes them, with deletions, and the twin compared all along."""
    now_ms = int(time.time() * 1000)
    history = History(seed, now_ms, deletions=True)
    model = twin([], now_ms)
    directory = str(tmp_path / "store")
    store = Store.open(directory, options)
    for nth in range(1500):
        batch = history.batch()
        store.write(batch)
        model.write(batch)
        store = upheaval(store, history, directory, options)
        if nth % 150 == 0:
            faults = differences(store, model, history.keys, now_ms)
            assert not faults, f"SEED={seed}, batch {nth}: " + "; ".join(faults[:5])
    assert differences(store, model, history.keys, now_ms) == []
    store.close()


def test_views_stand_still(tmp_path: Path, seed: int) -> None:
    """A picture taken before later writes, flushes and compactions shows what was there."""
    now_ms = int(time.time() * 1000)
    history = History(seed, now_ms, deletions=True)
    model = twin([], now_ms)
    store = Store.open(str(tmp_path / "store"), OPTIONS[1])
    pictures = []
    for nth in range(400):
        batch = history.batch()
        store.write(batch)
        model.write(batch)
        if nth % 50 == 0:
            pictures.append((store.view(), model.view()))
        if nth % 60 == 0:
            store.flush()
        if nth % 130 == 0:
            store.compact()
    for view, expected in pictures:
        for key in history.keys:
            assert live(view.get(key), now_ms) == live(expected.get(key), now_ms)
        view.release()
    store.close()


def changed(store: Store, change: str, directory: str, options: StoreOptions) -> Store:
    """The store after a flush, a compaction, or closed and opened."""
    if change == "flush":
        store.flush()
    elif change == "compact":
        store.compact()
        store.wait_idle()
    elif change == "reopen":
        store.close()
        return Store.open(directory, options)
    return store
