"""Drops what flushed databases held, beside the traffic.

Nobody can reach it any more (storage.databases), so there is no hurry, and every step may be repeated. When
nothing else is stored, one range deletion takes all of it; else its keys are walked and deleted a batch at a
time, with pauses.

The range deletion must not hit what is being written. Cells that come after its version are newer, except a
large value that was given its version when its writing began: so the version is taken at a moment when no
such value is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from respkv.native import NativeError
from respkv.server.workers import Workers
from respkv.storage.batch import BatchWriter
from respkv.storage.iterators import View, any_outside, walk_all_kinds
from respkv.storage.keys import ALL_KEYS
from respkv.storage.store import Store

KEYS_A_BATCH = 2000
BATCH_PAUSE_S = 0.002
RETRY_S = 5.0
QUIET_TRIES, QUIET_PAUSE_S = 1000, 0.01


class Dropper:
    """The task that does it. One for a store."""

    def __init__(
        self, store: Store, workers: Workers, quiet: Callable[[], bool], log: Callable[[str], None]
    ) -> None:
        """Begin with nothing to do.

        Args:
            store: where databases are dropped.
            workers: walk over keys.
            quiet: says whether no client's write is under way.
            log: takes a line.
        """
        self._store = store
        self._quiet = quiet
        self._workers = workers
        self._log = log
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There may be something to drop."""
        self._wanted.set()

    async def run(self) -> None:
        """Drop what there is, for ever; ends by being cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while numbers := dict(self._store.databases.dropping):
                try:
                    await self._drop(numbers)
                except NativeError as error:
                    self._log(f"dropping a flushed database has to wait: {error}")
                    await asyncio.sleep(RETRY_S)

    async def _drop(self, numbers: dict[int, int]) -> None:
        """Drop all stored databases of these numbers."""
        quiet = await self._wait_quiet()
        view, now_ms, hlc = self._store.view(), self._store.now_ms(), self._store.engine.tick()
        try:
            if quiet and not await self._workers.run(any_outside, view, frozenset(numbers), now_ms):
                self._drop_everything(numbers, hlc)
                return
            for number, since in numbers.items():
                await self._drop_keys(view, number, since, now_ms)
        finally:
            view.release()

    async def _wait_quiet(self) -> bool:
        """Wait for a quiet moment, if there is one soon; what follows without waiting is in it."""
        for _ in range(QUIET_TRIES):
            if self._quiet():
                return True
            await asyncio.sleep(QUIET_PAUSE_S)
        return False

    def _still(self, number: int, since: int) -> bool:
        """Is the number still that of the same flush? A FLUSHALL meanwhile may have freed it."""
        return self._store.databases.dropping.get(number) == since

    def _drop_everything(self, numbers: dict[int, int], hlc: int) -> None:
        """Nothing but flushed databases was stored at version hlc: delete all that is older."""
        batch = BatchWriter(hlc, self._store.node)
        batch.delete_range(*ALL_KEYS)
        self._store.engine.write(batch.encode())
        for number, since in numbers.items():
            if self._still(number, since):
                self._store.dropped(number)

    async def _drop_keys(self, view: View, number: int, since: int, now_ms: int) -> None:
        chunks = walk_all_kinds(view, number, now_ms)
        while (keys := await self._workers.run(next, chunks, None)) is not None:
            for at in range(0, len(keys), KEYS_A_BATCH):
                if not self._still(number, since):
                    return
                batch = self._store.batch()
                for key in keys[at : at + KEYS_A_BATCH]:
                    batch.delete(key)
                self._store.engine.write(batch.encode())
                await asyncio.sleep(BATCH_PAUSE_S)
        if self._still(number, since):
            self._store.dropped(number)
