"""The store as commands see it: keys of databases, read and changed in transactions.

A Store is a thin face of an engine (native.Store, or model.Model, its obvious twin). It belongs to the
engine's owner thread; views are for any.

A transaction belongs to one command. What it changed is applied as one commit batch, whole or not at all, at
one version; between its first read and its commit nothing else runs, because nothing in it waits. commit
returns the log sequence that a reply has to wait for.
"""

from __future__ import annotations

from typing import Protocol

from respkv.storage.batch import BatchWriter
from respkv.storage.cells import Cell
from respkv.storage.databases import Databases
from respkv.storage.iterators import View
from respkv.storage.keys import ALL_KEYS, meta_key


class Engine(Protocol):
    """What a Store stands on; native.Store says what each does."""

    def tick(self) -> int: ...
    def now_ms(self) -> int: ...
    def write(self, batch: bytes) -> int: ...
    def get(self, key: bytes) -> Cell | None: ...
    def view(self) -> View: ...
    def sync(self) -> None: ...
    def stats(self) -> dict[str, int]: ...
    def last_seq(self) -> int: ...


class Store:
    """An engine and the databases in it."""

    def __init__(self, engine: Engine, node: int, databases: int) -> None:
        """Read which database is which.

        Args:
            engine: open; stays the caller's.
            node: the node id in the versions written here, the same as the engine's.
            databases: how many a client may select.
        """
        self.engine = engine
        self.node = node
        self.databases = Databases(databases)
        cell = engine.get(Databases.KEY)
        if cell:
            self.databases.decode(cell.payload)

    def now_ms(self) -> int:
        """Return the engine's wall time."""
        return self.engine.now_ms()

    def marker(self) -> int:
        """Return a number that changes with every write, whoever makes it."""
        return self.engine.last_seq()

    def transaction(self) -> Transaction:
        """Begin the reads and changes of a command."""
        return Transaction(self)

    def view(self) -> View:
        """Take a stable picture; the caller releases it."""
        return self.engine.view()

    def internal_key(self, db: int, key: bytes) -> bytes:
        """Return where a key of a client's database lies."""
        return meta_key(self.databases.stored(db), key)

    def batch(self) -> BatchWriter:
        """Begin a batch at a new version stamp."""
        return BatchWriter(self.engine.tick(), self.node)

    # ---- whole databases ----------------------------------------------------------------------------------

    def swap(self, first: int, second: int) -> int:
        """Exchange two databases; return the log sequence to wait for."""
        new = self.databases.swapped(first, second)
        return self._change_databases(new, self.batch())

    def flush(self, db: int) -> int:
        """Empty a database at once, by giving it a stored number that nothing was written under.

        What it held is dropped in the background (see databases).

        Raises:
            LookupError: every number is in use or still being dropped; try again later.
        """
        batch = self.batch()
        return self._change_databases(self.databases.flushed(db, batch.base_hlc), batch)

    def flush_all(self) -> int:
        """Empty every database with one range deletion."""
        batch = self.batch()
        batch.delete_range(*ALL_KEYS)
        return self._change_databases(Databases(self.databases.count), batch)

    def dropped(self, db: int) -> None:
        """Note that nothing of a flushed database is left, so that its number may be used again."""
        self._change_databases(self.databases.without(db), self.batch())

    def _change_databases(self, new: Databases, batch: BatchWriter) -> int:
        batch.put(Databases.KEY, new.encode())
        seq = self.engine.write(batch.encode())
        self.databases.replace(new)
        return seq


class Transaction:
    """The reads and changes of one command."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch: BatchWriter | None = None
        self.now_ms = store.now_ms()

    def get(self, db: int, key: bytes) -> Cell | None:
        """Return the cell of a key, or None if it does not exist or has expired. May wait for the disk."""
        cell = self._store.engine.get(self._store.internal_key(db, key))
        return cell if cell and cell.live(self.now_ms) else None

    def set(self, db: int, key: bytes, payload: bytes, expires_at_ms: int = 0) -> None:
        """Set a key, whatever it held; expires_at_ms 0: it never expires."""
        self._writer().put(self._store.internal_key(db, key), payload, expires_at_ms)

    def delete(self, db: int, key: bytes) -> None:
        """Delete a key, whether it exists or not."""
        self._writer().delete(self._store.internal_key(db, key))

    def commit(self) -> int:
        """Apply the changes; return the log sequence that a reply waits for, 0 if nothing was changed."""
        if self._batch is None:
            return 0
        return self._store.engine.write(self._batch.encode())

    def _writer(self) -> BatchWriter:
        if self._batch is None:
            self._batch = self._store.batch()
        return self._batch
