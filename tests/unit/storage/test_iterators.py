"""Walks over one database among others: everything once, in order, without reading all the rest."""

from hypothesis import given
from hypothesis import strategies as st

from respkv.clock import ManualClock
from respkv.storage.iterators import any_outside, client_key, walk, walk_all_kinds
from respkv.storage.keys import Kind, meta_key, prefix, slot_of
from respkv.storage.model import Model, ModelCursor, ModelView
from respkv.storage.store import Store

KEYS = st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=3), st.booleans()), max_size=60)


def store_of(keys: list[tuple[int, bytes, bool]]) -> Store:
    """Keys of stored databases; some have expired."""
    clock = ManualClock(1000)
    store = Store(Model(clock.now_ms), 1, 16)
    for db, key, expired in keys:
        transaction = store.transaction()
        transaction.set(db, key, b"sv", 999 if expired else 0)
        transaction.commit()
    return store


def live_keys(keys: list[tuple[int, bytes, bool]], db: int) -> list[bytes]:
    last = {(d, key): expired for d, key, expired in keys}
    found = [key for (d, key), expired in last.items() if d == db and not expired]
    return sorted(found, key=lambda key: meta_key(db, key))


@given(KEYS, st.integers(0, 3))
def test_a_walk_meets_every_key_once_in_order(keys: list[tuple[int, bytes, bool]], db: int) -> None:
    view = store_of(keys).view()
    met = [client_key(entry) for entries, _ in walk(view, db, 1000) for entry in entries]
    assert met == live_keys(keys, db)
    for at in range(len(met)):
        start = meta_key(db, met[at])
        rest = [client_key(e) for entries, _ in walk(view, db, 1000, start, long=False) for e in entries]
        assert rest == met[at:]


class CountingView(ModelView):
    """A view that counts what is asked of it, and gives one entry a chunk."""

    asked = 0

    def iterate(
        self, lower: bytes = b"", upper: bytes = b"", now_ms: int = 0, scan: bool = False
    ) -> ModelCursor:
        view = self

        class Cursor(ModelCursor):
            def chunk(self, bytes_max: int, values: bool = True, backwards: bool = False):  # type: ignore[no-untyped-def]
                view.asked += 1
                return super().chunk(1, values, backwards)

        return Cursor(self._entries(lower, upper, now_ms))


def test_foreign_keys_are_leapt_over() -> None:
    keys = [(2, b"{tag}%d" % n, False) for n in range(500)] + [(3, b"{tag}x", False)]
    view = store_of(keys).view()
    assert isinstance(view, ModelView)
    counting = CountingView(view._cells)
    assert [client_key(e) for entries, _ in walk(counting, 3, 1000) for e in entries] == [b"{tag}x"]
    assert counting.asked < 5


@given(KEYS, st.sets(st.integers(0, 3)))
def test_any_outside(keys: list[tuple[int, bytes, bool]], dbs: set[int]) -> None:
    view = store_of(keys).view()
    expected = any(live_keys(keys, db) for db in range(4) if db not in dbs)
    assert any_outside(view, frozenset(dbs), 1000) == expected


def test_all_kinds_of_a_database() -> None:
    store = store_of([(1, b"a", False), (2, b"a", False), (1, b"b", False)])
    batch = store.batch()
    element = prefix(slot_of(b"a"), Kind.DATA, 1) + b"a-element"
    batch.put(element, b"x")
    batch.put(prefix(slot_of(b"a"), Kind.SCORE, 2) + b"other", b"x")
    store.engine.write(batch.encode())
    found = [key for keys in walk_all_kinds(store.view(), 1, 1000) for key in keys]
    assert sorted(found) == sorted([meta_key(1, b"a"), meta_key(1, b"b"), element])
