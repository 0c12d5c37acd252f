"""Worker threads, and coroutines that many wait for at once."""

import asyncio
import threading

import pytest

from respkv.server.workers import NextRun, Workers


def test_functions_run_elsewhere() -> None:
    async def main() -> None:
        workers = Workers()
        assert await workers.run(lambda a, b: a + b, 1, 2) == 3
        assert await workers.run(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 // 0)
        workers.close()

    asyncio.run(main())


def test_a_cancelled_run_is_waited_for() -> None:
    """What a function uses may be freed by who cancels, so the cancelling waits for it."""

    async def main() -> None:
        workers = Workers()
        begun, go_on = threading.Event(), threading.Event()
        steps: list[str] = []

        def function() -> None:
            begun.set()
            go_on.wait(10)
            steps.append("function")

        async def work() -> None:
            try:
                await workers.run(function)
            finally:
                steps.append("freed")

        task = asyncio.create_task(work())
        while not begun.is_set():
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert steps == ["function", "freed"]
        workers.close()

    asyncio.run(main())


def test_who_asks_while_one_runs_shares_the_next() -> None:
    async def main() -> None:
        share = NextRun()
        begun: list[int] = []
        gate = asyncio.Event()

        def asker(number: int) -> asyncio.Task[None]:
            async def make() -> None:
                begun.append(number)
                await gate.wait()

            return asyncio.create_task(share(make))

        first = asker(0)
        while not begun:
            await asyncio.sleep(0)
        others = [asker(n) for n in range(1, 5)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert begun == [0]
        gate.set()
        await asyncio.gather(first, *others)
        assert begun == [0, 1]

    asyncio.run(main())


def test_a_run_that_fails_fails_for_all_who_shared_it_and_for_no_other() -> None:
    async def main() -> None:
        share = NextRun()

        async def fail() -> None:
            await asyncio.sleep(0)
            raise OSError("disk")

        async def succeed() -> None:
            pass

        tasks = [asyncio.create_task(share(fail)) for _ in range(3)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, OSError) for result in results)
        await share(succeed)

    asyncio.run(main())
