"""What a command gets: who asks (Context), and everything it may touch (Services).

A handler is a function of a Context and the arguments, the name first. It returns

- a reply, at once;
- a coroutine of a reply, when it has to wait for a worker thread or for time;
- an asynchronous generator of encoded bytes, when the reply is too long to hold: the next piece is asked for
when the client
  has taken enough of those before;

or raises CommandError. Handlers run on the owner thread. What they hand to run() runs on a worker thread
beside them and touches views only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from respkv.clock import Clock
from respkv.commands.reply import Reply
from respkv.config import Config
from respkv.storage.store import Store, Transaction

if TYPE_CHECKING:
    from respkv.commands.counts import KeyCounts
    from respkv.commands.cursors import ScanPositions
    from respkv.commands.journal import LatencyJournal, SlowJournal
    from respkv.commands.passwords import Passwords
    from respkv.commands.statistics import Statistics

T = TypeVar("T")
Arguments = list[bytes]
Result = Reply | Coroutine[None, None, Reply] | AsyncIterator[bytes]
Handler = Callable[["Context", Arguments], Result]


class ClientFacts(Protocol):
    """What is known about a connection (native.Client)."""

    @property
    def id(self) -> int: ...
    @property
    def fd(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def local_address(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def lib_name(self) -> str: ...
    @property
    def lib_version(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def last_command(self) -> str: ...
    @property
    def db(self) -> int: ...
    @property
    def resp(self) -> int: ...
    @property
    def no_evict(self) -> bool: ...
    @property
    def no_touch(self) -> bool: ...
    @property
    def blocked(self) -> bool: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def active_ms(self) -> int: ...
    @property
    def query_bytes(self) -> int: ...
    @property
    def query_capacity(self) -> int: ...
    @property
    def output_bytes(self) -> int: ...


class CommandFigures(Protocol):
    """How a native command did (native.CommandStats)."""

    @property
    def name(self) -> str: ...
    @property
    def calls(self) -> int: ...
    @property
    def ns(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def failed(self) -> int: ...


class Clients(Protocol):
    """The connections of this node (native.Server)."""

    def client(self, client: int) -> ClientFacts | None:
        """Return what is known about a connection, None when it has gone."""

    def clients(self) -> list[int]:
        """Return the ids of all connections, ascending."""

    def client_set(self, client: int, **values: int | bool | str) -> bool:
        """Change fields of a connection."""

    def client_close(self, client: int, after_replies: bool = False) -> bool:
        """Close a connection."""

    def pause(self, until_ms: int, writes_only: bool) -> None:
        """Hold commands until a wall time; 0: no longer."""

    def map_databases(self, mapping: bytes) -> None:
        """Say which stored database each of the clients' is."""

    def stats(self) -> dict[str, int]:
        """Return figures of all connections."""

    def command_stats(self) -> Iterable[CommandFigures]:
        """Return figures of the native commands."""

    def reset_stats(self) -> None:
        """Set both to zero."""


class Runner(Protocol):
    """Runs a function on a worker thread."""

    def __call__(self, function: Callable[..., T], /, *arguments: object) -> Awaitable[T]:
        """Return what the function returns."""


class Host(Protocol):
    """The process and the machine, for INFO."""

    def figures(self) -> dict[str, str]:
        """Return facts by INFO's field names."""

    def memory(self) -> dict[str, int]:
        """Return resident, peak and machine memory in bytes: used, rss, peak, total."""


@dataclass
class Services:
    """Everything that commands may touch, built by the node."""

    store: Store
    config: Config
    clock: Clock
    clients: Clients
    chance: Callable[[int], bytes]
    run: Runner
    sleep: Callable[[float], Awaitable[None]]
    block: Callable[[int, float | None], Awaitable[None]]
    """Wait for a client so many seconds (None: for ever), or until it is unblocked. May raise."""
    unblock: Callable[[int, bool], bool]
    """End the wait of a client, with an error or without; say whether it waited."""
    host: Host
    passwords: Passwords
    slow: SlowJournal
    latency: LatencyJournal
    statistics: Statistics
    positions: ScanPositions
    counts: KeyCounts
    save: Callable[[], Awaitable[None]]
    """Bring everything to disk."""
    save_later: Callable[[], None]
    """The same, without waiting."""
    shutdown: Callable[[], None]
    drop: Callable[[], None]
    """See to it that flushed databases are dropped."""
    log: Callable[[str], None]
    failure: Callable[[], str]
    """Why writes are refused; empty while they are not."""
    paused_until_ms: int = 0
    paused_writes_only: bool = False
    last_save_ms: int = 0
    last_save_seq: int = 0
    saves: int = 0
    saving: int = 0


@dataclass
class Context:
    """One running command."""

    services: Services
    client: int
    db: int
    resp: int
    authenticated: bool
    wait_seq: int = 0
    """The log sequence that the reply waits for."""
    close: bool = field(default=False)
    """Whether the connection is closed once the reply is out."""

    @property
    def store(self) -> Store:
        """The store."""
        return self.services.store

    def facts(self) -> ClientFacts:
        """Return what is known about the connection that asks.

        Raises:
            ConnectionError: it has gone.
        """
        found = self.services.clients.client(self.client)
        if found is None:
            raise ConnectionError("the client has gone")
        return found

    def commit(self, transaction: Transaction) -> None:
        """Apply a transaction; the reply waits for it to be as durable as the policy says."""
        self.wait_for(transaction.commit())

    def wait_for(self, seq: int) -> None:
        """Hold the reply until the log is durable to seq."""
        self.wait_seq = max(self.wait_seq, seq)
