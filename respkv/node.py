"""The composition root: builds the rooms of a node, owns every task, starts and stops them in order.

    start   configuration -> log -> sockets bound -> store recovered -> commands -> sockets open -> served
    stop    nobody else connects -> running commands end, replies go out -> tasks end -> log synced -> store
    closed

What cannot start raises StartError with one line. A task that dies stops the node: no part of it goes on
alone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path

import uvloop

from respkv import native
from respkv.clock import SystemClock
from respkv.commands.context import Services
from respkv.commands.counts import KeyCounts
from respkv.commands.cursors import ScanPositions
from respkv.commands.journal import LatencyJournal, SlowJournal
from respkv.commands.passwords import Passwords
from respkv.commands.statistics import Statistics
from respkv.commands.version import REDIS_VERSION, RESPKV_VERSION
from respkv.config import Config, Refused
from respkv.errors import StartError
from respkv.server import limits, listener, pages
from respkv.server.clients import Clients
from respkv.server.dropper import Dropper
from respkv.server.host import ProcessHost
from respkv.server.http import HttpServer
from respkv.server.logs import Log
from respkv.server.workers import NextRun, Workers
from respkv.storage.store import Store

DESCRIPTORS_RESERVED = 256
SWITCH_INTERVAL_S = 0.0005
COLLECT_THRESHOLDS = (50_000, 20, 50)
PROGRESS_S = 1.0
WATCH_S = 1.0
DURABLE_PAUSE_S = 0.02
FOREIGN_LOG_S = 60.0
PROMISES = {
    "always": "every reply waits for the disk",
    "everysec": "the disk follows within about a second; the death of the process loses nothing",
    "no": "the disk follows when the kernel likes; the death of the process loses nothing",
}


def run(config: Config) -> int:
    """Run a node until it is told to stop.

    Returns:
        The exit status of the process.

    Raises:
        StartError: it could not start.
    """
    os.umask(0o077)
    log = Log(config.text("logfile"), config.text("loglevel"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(Node(config, log).run())
    finally:
        log.close()


class Node:
    """One node: its parts, and their order."""

    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        self._clock = SystemClock()
        self._stop = asyncio.Event()
        self._status = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Start, serve, stop.

        Raises:
            StartError: it could not start.
        """
        config = self._config
        self._fit_descriptors()
        sockets = listener.bind(config.words("bind"), config.integer("port"))
        pages_port = config.integer("http-port")
        page_sockets = listener.bind(config.words("bind"), pages_port) if pages_port else []
        try:
            engine = self._open_store()
            try:
                await self._serve(engine, sockets, page_sockets)
            finally:
                self._close_store(engine)
        finally:
            for bound in [*sockets, *page_sockets]:
                bound.close()
        self._log.notice("stopped")
        return self._status

    # ---- start --------------------------------------------------------------------------------------------

    def _fit_descriptors(self) -> None:
        """Have a file descriptor for every client, or lower maxclients to what there is."""
        wanted = self._config.integer("maxclients") + DESCRIPTORS_RESERVED
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            most = soft - DESCRIPTORS_RESERVED
            if most < 1:
                raise StartError(
                    f"maxclients: the limit of open files is {soft}, which is too low for any client"
                )
            self._log.warning(f"maxclients is lowered to {most}: the limit of open files is {soft}")
            self._config.change([("maxclients", str(most))])

    def _open_store(self) -> native.Store:
        """Open the directory; a recovery that takes long shows how far it is."""
        directory = self._config.directory()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"dir: cannot make {directory}: {error.strerror}") from None
        progress = native.Progress()
        ready = threading.Event()
        watcher = threading.Thread(target=self._show_progress, args=(progress, ready), daemon=True)
        watcher.start()
        try:
            return native.Store.open(str(directory), limits.options_of(self._config), progress)
        except native.LockedError:
            raise StartError(f"dir: {directory} is in use by another process") from None
        except native.NativeError as error:
            raise StartError(f"dir: cannot open the store in {directory}: {error}") from None
        finally:
            ready.set()
            watcher.join()

    def _show_progress(self, progress: native.Progress, ready: threading.Event) -> None:
        while not ready.wait(PROGRESS_S):
            done, whole = progress.done_bytes, progress.all_bytes
            if whole:
                self._log.show(f"recovering: {done >> 20} of {whole >> 20} MiB, {100 * done // whole}%")

    async def _serve(
        self, engine: native.Store, sockets: list[socket.socket], page_sockets: list[socket.socket]
    ) -> None:
        """Build what serves clients, serve until told to stop, and take it down."""
        config = self._config
        try:
            store = Store(engine, limits.NODE, config.integer("databases"))
        except ValueError as error:
            raise StartError(f"dir: {config.directory()}: {error}") from None
        server = native.Server(engine, limits.limits_of(config))
        workers = Workers()
        try:
            server.map_databases(store.databases.mapping())
            services, clients = self._build(engine, store, server, workers)
            config.on_change = lambda names: self._follow(names, engine, server)
            listener.listen(sockets, config.integer("tcp-backlog"))
            for bound in sockets:
                server.listen(bound.fileno())
            http = HttpServer(pages.pages_of(services))
            await http.start(page_sockets)
            clients.start()
            self._show_start(engine.recovery, sockets, page_sockets)
            self._watch_signals()
            self._spawn(self._watch(services, server))
            _tune_interpreter()
            _notify("READY=1", config)
            await self._stop.wait()
            _notify("STOPPING=1", config)
            for bound in sockets:
                server.unlisten(bound.fileno())
            await http.stop()
            await clients.stop()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            workers.close()
            server.close()

    def _build(
        self, engine: native.Store, store: Store, server: native.Server, workers: Workers
    ) -> tuple[Services, Clients]:
        """Everything that commands may touch, and who drives them."""

        async def save() -> None:
            services.saving += 1
            try:
                seq = store.marker()
                await self._wait_durable(engine, seq)
            finally:
                services.saving -= 1
            services.last_save_ms, services.last_save_seq = self._clock.now_ms(), seq
            services.saves += 1

        async def save_quietly() -> None:
            try:
                await save()
            except native.NativeError as error:
                self._log.warning(f"BGSAVE: {error}")

        def quiet() -> bool:
            return server.stats()["blocked"] == 0

        dropper = Dropper(store, workers, quiet, self._log.warning)
        services = Services(
            store=store,
            config=self._config,
            clock=self._clock,
            clients=server,
            chance=secrets.token_bytes,
            run=workers.run,
            sleep=asyncio.sleep,
            block=lambda client, seconds: clients.block(client, seconds),
            unblock=lambda client, with_error: clients.unblock(client, with_error),
            host=ProcessHost(self._clock, secrets.token_hex(20), native.build_info()),
            passwords=Passwords(self._config),
            slow=SlowJournal(),
            latency=LatencyJournal(),
            statistics=Statistics(),
            positions=ScanPositions(secrets.randbits(62)),
            counts=KeyCounts(store, self._clock, workers.run, NextRun()),
            save=save,
            save_later=lambda: self._spawn(save_quietly()),
            shutdown=self._stop.set,
            drop=dropper.wake,
            log=self._log.notice,
            failure=lambda: str(engine.failure() or ""),
            last_save_ms=self._clock.now_ms(),
            last_save_seq=store.marker(),
        )
        clients = Clients(server, services, self._log)
        self._spawn(dropper.run())
        dropper.wake()
        return services, clients

    def _show_start(
        self, recovery: native.Recovery, sockets: list[socket.socket], page_sockets: list[socket.socket]
    ) -> None:
        config = self._config
        policy = config.text("appendfsync")
        lines = [
            f"respkv {RESPKV_VERSION}, as Redis {REDIS_VERSION}, process {os.getpid()}",
            f"  address     {', '.join(map(listener.shown, sockets))}",
            f"  directory   {config.directory()}",
            f"              {_recovered(recovery)}",
            f"  durability  appendfsync {policy}: {PROMISES[policy]}",
            f"  memory      {config.memory() >> 20} MiB for memtables and cache",
        ]
        if page_sockets:
            lines.insert(2, f"  metrics     http://{listener.shown(page_sockets[0])}/metrics")
        self._log.show("\n".join(lines))
        if recovery.wal_cut_bytes:
            self._log.warning(
                f"the end of the log was torn: {recovery.wal_cut_bytes} bytes cut at {recovery.wal_cut_at}"
            )
        if config.without_effect():
            self._log.warning("kept, but without effect here: " + ", ".join(config.without_effect()))
        if not config.text("requirepass") and any(
            w not in ("127.0.0.1", "::1") for w in config.words("bind")
        ):
            self._log.warning(
                "there is no password: clients of other machines are refused (protected-mode)"
                if config.flag("protected-mode")
                else "there is no password, and protected-mode is off: anyone who can connect can do anything"
            )
        self._log.notice("ready")

    # ---- while it runs ------------------------------------------------------------------------------------

    def _follow(self, names: frozenset[str], engine: native.Store, server: native.Server) -> None:
        """Make directives that CONFIG SET changed take effect."""
        config = self._config
        if "maxclients" in names:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - DESCRIPTORS_RESERVED
            if config.integer("maxclients") > most:
                raise Refused(
                    "maxclients",
                    "The operating system is not able to handle the specified number of clients, "
                    f"try with {most}",
                )
        if names & limits.FOLLOWED:
            server.configure(limits.limits_of(config))
        if "maxmemory" in names:
            engine.set_memory(config.memory())
        if "appendfsync" in names:
            engine.set_sync(limits.SYNC[config.text("appendfsync")])
        if "loglevel" in names:
            self._log.set_level(config.text("loglevel"))

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_by, number)
        loop.add_signal_handler(signal.SIGHUP, self._reopen_log)

    def _stop_by(self, number: signal.Signals) -> None:
        self._log.notice(f"{number.name}: stopping")
        self._stop.set()

    def _reopen_log(self) -> None:
        try:
            self._log.reopen()
        except StartError as error:
            self._log.warning(str(error))
        else:
            self._log.notice("SIGHUP: the log has been opened again")

    async def _watch(self, services: Services, server: native.Server) -> None:
        """Tell the log of what an operator has to know, once each time."""
        failure, foreign, quiet_until_ns = "", 0, 0
        while True:
            await asyncio.sleep(WATCH_S)
            now = services.failure()
            if now != failure:
                self._log.warning(f"writes are refused: {now}" if now else "writes are taken again")
                failure = now
            seen = server.stats()["foreign_protocols"]
            if seen > foreign and self._clock.mono_ns() >= quiet_until_ns:
                self._log.warning(f"{seen - foreign} connections spoke HTTP or TLS and were closed")
                quiet_until_ns = self._clock.mono_ns() + int(FOREIGN_LOG_S * 1e9)
                foreign = seen

    async def _wait_durable(self, engine: native.Store, seq: int) -> None:
        """Wait until the log is on the disk up to seq. The engine syncs on a thread of its own.

        Raises:
            native.NativeError: the disk has failed.
        """
        lazy = self._config.text("appendfsync") == "no"
        if lazy:
            engine.set_sync(native.SYNC_EVERYSEC)
        try:
            while engine.stats()["durable_seq"] < seq:
                if failure := engine.failure():
                    raise failure
                await asyncio.sleep(DURABLE_PAUSE_S)
        finally:
            if lazy:
                engine.set_sync(limits.SYNC[self._config.text("appendfsync")])

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        """Own a task; its death by anything but cancelling stops the node."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.remove(task)
        if not task.cancelled() and (error := task.exception()):
            self._log.warning(f"a task died, so the node stops: {error!r}")
            self._status = 1
            self._stop.set()

    # ---- stop ---------------------------------------------------------------------------------------------

    def _close_store(self, engine: native.Store) -> None:
        try:
            engine.close()
        except native.NativeError as error:
            self._log.warning(f"closing the store: {error}")
            self._status = 1


def _tune_interpreter() -> None:
    """Keep the event loop's pauses short.

    Worker threads share the interpreter with it: they hold it for short turns. The collector looks at what is
    young only when much has been made, and never again at what was built at the start.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_THRESHOLDS)


def _recovered(recovery: native.Recovery) -> str:
    """What opening the store found, in a line."""
    if recovery.created:
        return "new and empty"
    return (
        f"recovered {recovery.tables} tables of {recovery.table_bytes >> 20} MiB and {recovery.wal_records} "
        f"records ({recovery.wal_bytes >> 10} KiB) of the log in {recovery.elapsed_ms} ms"
    )


def _notify(state: str, config: Config) -> None:
    """Tell the service manager, where it wants to know."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if config.text("supervised") == "no" or not where:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect("\0" + where[1:] if where.startswith("@") else where)
        manager.sendall(state.encode())


def verify(config: Config) -> int:
    """Check every checksum of the store in the configured directory; print one line for each problem.

    Returns:
        0 if there is none, else 1.
    """
    try:
        engine = native.Store.open(str(_existing(config)), native.StoreOptions(read_only=True))
    except native.NativeError as error:
        raise StartError(f"dir: cannot open the store in {config.directory()}: {error}") from None
    started = time.monotonic()
    try:
        problems = engine.verify()
    finally:
        engine.close()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems found in {time.monotonic() - started:.1f} s")
    return 1 if problems else 0


def repair(config: Config) -> int:
    """Rebuild the manifest of the store in the configured directory from its tables; print what was done."""
    try:
        for line in native.repair(str(_existing(config)), limits.options_of(config)):
            print(line)
    except native.NativeError as error:
        raise StartError(f"dir: cannot repair the store in {config.directory()}: {error}") from None
    return 0


def _existing(config: Config) -> Path:
    directory = config.directory()
    if not directory.is_dir():
        raise StartError(f"dir: there is no directory {directory}")
    return directory
