"""How many keys there are, exactly, without counting more often than needed.

Writes are blind, so nobody knows the number as they go: it is counted, on a worker thread over a view, and
kept for as long as nothing is written and nothing expires. Who asks while a count is running waits for the
next one, which all who wait share: a count that began before the question might miss what was written before
it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine

from respkv.clock import Clock
from respkv.commands.context import Runner
from respkv.storage.census import Census
from respkv.storage.store import Store

STALE_FACTOR = 20
"""INFO counts again when the last count is so many times older than it took."""


class KeyCounts:
    """The last count, and the one that is running."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        run: Runner,
        share: Callable[[Callable[[], Coroutine[None, None, None]]], Awaitable[None]],
    ) -> None:
        """Begin without a count.

        Args:
            store: what to count.
            clock: measures how long a count takes.
            run: runs it on a worker thread.
            share: runs a coroutine function after the one that is running, once for all who ask meanwhile.
        """
        self._store = store
        self._clock = clock
        self._run = run
        self._share = share
        self._last = Census(0)
        self._marker: object = None
        self._took_ms = 0

    def _fresh(self) -> bool:
        expiry = self._last.next_expiry_ms
        return self._marker == self._store.marker() and (not expiry or self._store.now_ms() < expiry)

    async def current(self) -> Census:
        """Return the exact count of this moment."""
        if not self._fresh():
            await self._share(self._take)
        return self._last

    async def recent(self) -> Census:
        """Return a count that may be a little old, if a new one would be dear: see STALE_FACTOR."""
        age_ms = self._store.now_ms() - self._last.now_ms
        if self._fresh() or age_ms < self._took_ms * STALE_FACTOR:
            return self._last
        return await self.current()

    async def _take(self) -> None:
        marker, now_ms = self._store.marker(), self._store.now_ms()
        view = self._store.view()
        started = self._clock.mono_ns()
        try:
            census = await self._run(view.census, now_ms)
        finally:
            view.release()
        self._last, self._marker = census, marker
        self._took_ms = (self._clock.mono_ns() - started) // 1_000_000
