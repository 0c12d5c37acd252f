"""Worker threads for what would hold up the event loop, and coroutines that many wait for at once.

A worker runs functions on views: walks, counts, packing. The C core lets go of the interpreter's lock in each
call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

THREADS = 4


class Workers:
    """A few threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "respkv-worker")

    async def run(self, function: Callable[..., T], /, *arguments: object) -> T:
        """Return what a function returns on a worker thread.

        Who is cancelled meanwhile is cancelled only when the function has returned: it may use what the
        canceller frees.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class NextRun:
    """Runs coroutines one after another; all who ask while one runs share the next."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self, make: Callable[[], Coroutine[None, None, None]]) -> None:
        """Wait for a run that begins after this call.

        Args:
            make: gives the coroutine; of those given while one waits, the first counts.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._follow(self._running, make))
        await asyncio.shield(self._next)

    async def _follow(
        self, before: asyncio.Task[None] | None, make: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        await make()
