"""A node for tests of commands: the real handlers over a model of the store, a clock that stands still, no
sockets, no threads.

Everything that a handler may wait for is done at once, so that a command is a plain function call here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from harness.wire import decode
from respkv.clock import ManualClock
from respkv.commands import dispatch
from respkv.commands.context import Context, Services
from respkv.commands.counts import KeyCounts
from respkv.commands.cursors import ScanPositions
from respkv.commands.journal import LatencyJournal, SlowJournal
from respkv.commands.passwords import Passwords
from respkv.commands.reply import encode, failure
from respkv.commands.statistics import Figures, Statistics
from respkv.config import Config
from respkv.errors import CommandError
from respkv.storage.model import Model
from respkv.storage.store import Store

T = TypeVar("T")
Argument = bytes | str | int


@dataclass(frozen=True)
class FakeClient:
    """A connection, of the shape of native.Client."""

    id: int
    fd: int = 8
    address: str = "127.0.0.1:50000"
    local_address: str = "127.0.0.1:7000"
    name: str = ""
    lib_name: str = ""
    lib_version: str = ""
    user: str = ""
    last_command: str = ""
    db: int = 0
    resp: int = 2
    authenticated: bool = True
    no_evict: bool = False
    no_touch: bool = False
    blocked: bool = False
    reply_mode: int = 0
    created_ms: int = 0
    active_ms: int = 0
    query_bytes: int = 0
    query_capacity: int = 0
    output_bytes: int = 0


@dataclass
class FakeClients:
    """The connections of a node, of the shape of native.Server."""

    known: dict[int, FakeClient] = field(default_factory=dict)
    closed: list[int] = field(default_factory=list)
    pauses: list[tuple[int, bool]] = field(default_factory=list)
    mapping: bytes = b""
    native: list[Figures] = field(default_factory=list)

    def client(self, client: int) -> FakeClient | None:
        return self.known.get(client)

    def clients(self) -> list[int]:
        return sorted(self.known)

    def client_set(self, client: int, **values: Any) -> bool:
        self.known[client] = replace(self.known[client], **values)
        return True

    def client_close(self, client: int, after_replies: bool = False) -> bool:
        self.closed.append(client)
        return self.known.pop(client, None) is not None

    def pause(self, until_ms: int, writes_only: bool) -> None:
        self.pauses.append((until_ms, writes_only))

    def map_databases(self, mapping: bytes) -> None:
        self.mapping = mapping

    def stats(self) -> dict[str, int]:
        names = """
            clients clients_unauthenticated connections rejected commands protocol_errors foreign_protocols
            bytes_in bytes_out keyspace_hits keyspace_misses expired_reads evicted_clients output_limit_closed
            query_limit_closed cold_reads query_bytes output_bytes blocked polls
        """
        return dict.fromkeys(names.split(), 0) | {"clients": len(self.known)}

    def command_stats(self) -> list[Figures]:
        return self.native

    def reset_stats(self) -> None:
        self.native.clear()


class FakeHost:
    """A process without a machine."""

    def figures(self) -> dict[str, str]:
        names = "os arch_bits gcc_version process_id run_id executable build used_cpu_sys used_cpu_user"
        return dict.fromkeys(names.split(), "x") | {
            "uptime_s": "90000",
            "used_cpu_sys_children": "0",
            "used_cpu_user_children": "0",
        }

    def memory(self) -> dict[str, int]:
        return {"used": 1 << 20, "rss": 2 << 20, "peak": 3 << 20, "startup": 1 << 19, "total": 1 << 34}


class FakeNode:
    """Services, and a way to run commands with them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.engine = Model(self.clock.now_ms)
        self.config = Config()
        self.clients = FakeClients({1: FakeClient(1)})
        self.slept: list[float] = []
        self.logged: list[str] = []
        self.drops = self.saves = self.stops = 0
        self.chance = 0
        self.services = self._services()

    def _services(self) -> Services:
        store = Store(self.engine, 1, self.config.integer("databases"))

        async def run(function: Callable[..., T], /, *arguments: object) -> T:
            return function(*arguments)

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.clock.advance(int(seconds * 1000))

        async def block(client: int, seconds: float | None) -> None:
            await sleep(seconds or 0)

        async def save() -> None:
            self.saves += 1

        async def share(make: Callable[[], Coroutine[None, None, None]]) -> None:
            await make()

        def drop() -> None:
            self.drops += 1

        def save_later() -> None:
            self.saves += 1

        def shutdown() -> None:
            self.stops += 1

        return Services(
            store=store,
            config=self.config,
            clock=self.clock,
            clients=self.clients,
            chance=lambda count: self.chance.to_bytes(count, "big"),
            run=run,
            sleep=sleep,
            block=block,
            unblock=lambda client, with_error: False,
            host=FakeHost(),
            passwords=Passwords(self.config),
            slow=SlowJournal(),
            latency=LatencyJournal(),
            statistics=Statistics(),
            positions=ScanPositions(0),
            counts=KeyCounts(store, self.clock, run, share),
            save=save,
            save_later=save_later,
            shutdown=shutdown,
            drop=drop,
            log=self.logged.append,
            failure=lambda: "",
        )

    def context(self, client: int = 1, db: int = 0) -> Context:
        """A request of a client."""
        facts = self.clients.known[client]
        return Context(self.services, client, db, facts.resp, facts.authenticated)

    def raw(self, *arguments: Argument, client: int = 1, db: int = 0) -> bytes:
        """Run a command; the bytes of its reply."""
        args = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
        context = self.context(client, db)
        try:
            found = dispatch.find(args, context.authenticated, self.config.integer("key-max-len"))
            result: Any = found.handler(context, args)
            if inspect.iscoroutine(result):
                result = finished(result)
            elif isinstance(result, AsyncIterator):
                return finished(collected(result))
        except CommandError as error:
            return failure(str(error))
        return encode(result, context.resp)

    def __call__(self, *arguments: Argument, client: int = 1, db: int = 0) -> Any:
        """Run a command; its reply as a value."""
        return decode(self.raw(*arguments, client=client, db=db))

    def set(self, key: bytes, value: bytes, db: int = 0, expires_at_ms: int = 0) -> None:
        """What the native SET does."""
        transaction = self.services.store.transaction()
        transaction.set(db, key, b"s" + value, expires_at_ms)
        transaction.commit()

    def delete(self, key: bytes, db: int = 0) -> None:
        """What the native DEL does."""
        transaction = self.services.store.transaction()
        transaction.delete(db, key)
        transaction.commit()

    def get(self, key: bytes, db: int = 0) -> bytes | None:
        """What the native GET does."""
        cell = self.services.store.transaction().get(db, key)
        return cell.payload[1:] if cell else None


async def collected(pieces: AsyncIterator[bytes]) -> bytes:
    """All pieces of a long reply."""
    return b"".join([piece async for piece in pieces])


def finished(work: Awaitable[T]) -> T:
    """The result of something that never really waits."""

    async def main() -> T:
        return await work

    return asyncio.run(main())
