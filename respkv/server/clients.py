"""Client connections: the C core's server watched by the event loop, and the commands that it hands to
Python.

    loop: readable -> poll -> request* -> handler -> reply -> poll ...

Sockets, parsing and native commands are C's; here requests are taken, run by table and answered. A handler
that has to wait becomes a task; its connection is not read meanwhile, all others go on. A long reply is sent
in pieces while less than UNSENT_MAX bytes of it wait.

Under appendfsync always a reply that acknowledges a write waits for the log; C holds it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Coroutine

from respkv import native
from respkv.commands import dispatch
from respkv.commands.context import Context, Result, Services
from respkv.commands.journal import redact, shorten
from respkv.commands.reply import Reply, encode, failure
from respkv.errors import CommandError
from respkv.server.logs import Log

POLL_US = 2000
SLICE_NS = 5_000_000
CRON_S = 0.1
UNSENT_MAX = 1 << 20
UNSENT_PAUSE_S = 0.005
STOP_S = 10.0
MILLISECOND_NS = 1_000_000
# Waiting is what they do.
NOT_SLOW = frozenset({"wait", "shutdown"})

UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK"


def error_text(error: native.NativeError) -> str:
    """Return the error reply for a fault of the engine, as native commands word it."""
    match error:
        case native.OutOfMemoryError():
            return "OOM out of memory"
        case native.NoSpaceError():
            return "MISCONF no space left on the disk: writes are refused until there is some"
        case native.ReadOnlyError():
            return "MISCONF disk error, node is read-only"
        case native.CorruptionError():
            return f"CORRUPT {error}"
        case native.DiskError():
            return f"IOERR {error}"
        case _:
            return f"ERR {error}"


class _Run:
    """A request that is being answered."""

    def __init__(self, context: Context, args: list[bytes], started_ns: int, at_ms: int) -> None:
        self.context = context
        self.args = args
        self.started_ns = started_ns
        self.at_ms = at_ms
        self.name = ""
        self.touches_data = False


class Clients:
    """Drives the connections of a node. Lives on the event loop."""

    def __init__(self, server: native.Server, services: Services, log: Log) -> None:
        self._server = server
        self._services = services
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._blocked: dict[int, asyncio.Future[bool]] = {}
        self._cron: asyncio.TimerHandle | None = None

    # ---- the loop -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve, from now on."""
        self._loop.add_reader(self._server.fileno(), self._serve)
        self._tick()

    def _serve(self) -> None:
        until_ns = self._services.clock.mono_ns() + SLICE_NS
        while self._server.poll(POLL_US):
            self._take_slow()
            while request := self._server.request():
                self._begin(request)
            if self._services.clock.mono_ns() > until_ns:
                break

    def _tick(self) -> None:
        """About ten times a second: time-outs in C, slow commands, rates, clients that left while blocked."""
        self._server.cron()
        self._take_slow()
        stats = self._server.stats()
        mono_ns = self._services.clock.mono_ns()
        self._services.statistics.sample(mono_ns, stats["commands"], stats["bytes_in"], stats["bytes_out"])
        for client, future in list(self._blocked.items()):
            if not future.done() and self._server.client(client) is None:
                future.set_result(False)
        self._cron = self._loop.call_later(CRON_S, self._tick)

    async def stop(self) -> None:
        """Finish what runs, send what waits, and watch no more. Nobody may connect any longer."""
        for future in self._blocked.values():
            if not future.done():
                future.set_result(False)
        until = self._loop.time() + STOP_S
        while self._loop.time() < until and not self._settled():
            await asyncio.sleep(0.01)
        self._loop.remove_reader(self._server.fileno())
        if self._cron:
            self._cron.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _settled(self) -> bool:
        """Has every request been answered, and every reply been sent?"""
        return not self._tasks and not self._server.stats()["output_bytes"]

    # ---- one request --------------------------------------------------------------------------------------

    def _begin(self, request: native.Request) -> None:
        services = self._services
        context = Context(services, request.client, request.db, request.resp, request.authenticated)
        run = _Run(context, request.args, services.clock.mono_ns(), services.clock.now_ms())
        try:
            found = dispatch.find(request.args, request.authenticated, services.config.integer("key-max-len"))
        except dispatch.Rejected as error:
            if error.name:
                services.statistics.of(error.name).rejected += 1
            self._fail(run, str(error))
            return
        run.name = found.command.name
        run.touches_data = bool({"write", "readonly"} & set(found.command.flags))
        if "write" in found.command.flags and self._paused():
            self._spawn(run, self._when_unpaused(run, found))
            return
        self._run(run, found)

    def _run(self, run: _Run, found: dispatch.Found) -> None:
        try:
            result = found.handler(run.context, run.args)
        except Exception as error:
            self._fault(run, error)
            return
        if inspect.iscoroutine(result):
            self._spawn(run, self._finish_later(run, result))
        elif isinstance(result, AsyncIterator):
            self._spawn(run, self._stream(run, result))
        else:
            self._finish(run, result)

    def _spawn(self, run: _Run, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(self._guarded(run, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, run: _Run, work: Coroutine[None, None, None]) -> None:
        """Do the work of a request; whatever happens, it is answered."""
        try:
            await work
        except asyncio.CancelledError:
            self._server.reply(run.context.client, b"")
            raise
        except Exception as error:
            self._fault(run, error)

    async def _finish_later(self, run: _Run, result: Coroutine[None, None, Reply]) -> None:
        self._finish(run, await result)

    async def _stream(self, run: _Run, pieces: AsyncIterator[bytes]) -> None:
        client = run.context.client
        async for piece in pieces:
            if not self._server.reply(client, piece, self._wait_seq(run), last=False):
                break
            while self._server.unsent(client) > UNSENT_MAX:
                await asyncio.sleep(UNSENT_PAUSE_S)
        self._finish(run, None, b"")

    def _finish(self, run: _Run, result: Result, data: bytes | None = None) -> None:
        context = run.context
        if data is None:
            data = encode(result, context.resp)
        self._answer(run, data, self._wait_seq(run))
        if context.close:
            self._server.client_close(context.client, after_replies=True)

    def _answer(self, run: _Run, data: bytes, wait_seq: int) -> None:
        self._server.reply(run.context.client, data, wait_seq)
        if run.name:
            self._count(run)

    def _wait_seq(self, run: _Run) -> int:
        """What the log must be durable to before the reply goes out, for what it shows or changed."""
        if not run.touches_data or self._services.config.text("appendfsync") != "always":
            return 0
        return max(run.context.wait_seq, self._services.store.marker())

    def _fault(self, run: _Run, error: Exception) -> None:
        if isinstance(error, native.NativeError):
            text = error_text(error)
        elif isinstance(error, CommandError):
            text = str(error)
        elif isinstance(error, ConnectionError):
            self._server.reply(run.context.client, b"")
            return
        elif isinstance(error, MemoryError):
            text = "OOM out of memory"
        else:
            self._log.warning(f"a fault of ours in {run.name}: {error!r}")
            text = "ERR internal error"
        self._services.statistics.of(run.name).failed += 1
        self._fail(run, text)

    def _fail(self, run: _Run, text: str) -> None:
        self._services.statistics.count_error(text)
        self._answer(run, failure(text), 0)

    # ---- waiting ------------------------------------------------------------------------------------------

    def _paused(self) -> bool:
        """Does a CLIENT PAUSE hold writes? One that holds everything is C's to see to."""
        return self._services.paused_until_ms > self._services.clock.now_ms()

    async def _when_unpaused(self, run: _Run, found: dispatch.Found) -> None:
        while self._paused():
            await asyncio.sleep(0.01)
        run.started_ns = self._services.clock.mono_ns()
        result = found.handler(run.context, run.args)
        if inspect.iscoroutine(result):
            result = await result
        if isinstance(result, AsyncIterator):
            await self._stream(run, result)
        else:
            self._finish(run, result)

    async def block(self, client: int, seconds: float | None) -> None:
        """Wait for a client so many seconds, or until it is unblocked or gone.

        Raises:
            CommandError: it was unblocked with an error.
        """
        future: asyncio.Future[bool] = self._loop.create_future()
        self._blocked[client] = future
        try:
            with_error = await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return
        finally:
            del self._blocked[client]
        if with_error:
            raise CommandError(UNBLOCKED)

    def unblock(self, client: int, with_error: bool) -> bool:
        """End the wait of a client; say whether it waited."""
        future = self._blocked.get(client)
        if future is None or future.done():
            return False
        future.set_result(with_error)
        return True

    # ---- counting -----------------------------------------------------------------------------------------

    def _count(self, run: _Run) -> None:
        services = self._services
        took_ns = services.clock.mono_ns() - run.started_ns
        figures = services.statistics.of(run.name)
        figures.calls += 1
        figures.ns += took_ns
        if run.name in NOT_SLOW:
            return
        if took_ns >= MILLISECOND_NS or services.config.integer("slowlog-log-slower-than") < 1000:
            sizes = [len(arg) for arg in redact(run.args)]
            self._slow(run.context.client, run.at_ms, took_ns // 1000, redact(run.args), len(run.args), sizes)

    def _take_slow(self) -> None:
        """Take over what C found slow."""
        for slow in self._server.slow():
            self._slow(slow.client, slow.at_ms, slow.us, slow.args, slow.argc, slow.sizes)

    def _slow(
        self, client: int, at_ms: int, us: int, args: list[bytes], count: int, sizes: list[int]
    ) -> None:
        config = self._services.config
        threshold_us, threshold_ms = (
            config.integer("slowlog-log-slower-than"),
            config.integer("latency-monitor-threshold"),
        )
        if 0 <= threshold_us <= us:
            facts = self._server.client(client)
            address, name = (facts.address, facts.name) if facts else ("", "")
            shown = shorten(args, count, sizes)
            self._services.slow.add(at_ms, us, shown, address, name, config.integer("slowlog-max-len"))
        if 0 < threshold_ms * 1000 <= us:
            self._services.latency.add("command", at_ms, us // 1000)
