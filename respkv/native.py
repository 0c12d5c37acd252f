"""The only importer of the compiled module: the C core's handles as thin classes, its statuses as exceptions.

It converts and never decides. native/include/respkv.h is the manual: units, owners, threads. What a
method says here is only what is different in Python: outcomes that are not faults become None, False or
an empty sequence; negative statuses raise the NativeError of their code, with the core's text.

Every call releases the GIL, so methods that wait (open, close, flush, verify...) may run in an executor
as the header allows. A closed handle has no pointer any more: using it raises AttributeError rather than
crashing.

Cost: a call is 0.3 to 0.6 µs. Python enters once a tick (Server.poll) and once for each command that C
does not run.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from respkv._native import ffi, lib
from respkv.errors import RespkvError

if TYPE_CHECKING:
    from respkv._native import CData

SYNC_ALWAYS, SYNC_EVERYSEC, SYNC_NO = 0, 1, 2
TOMBSTONE = 1
STORED_DATABASES = 256

# Which fields Server.client_set changes.
CLIENT_DB, CLIENT_RESP, CLIENT_AUTH, CLIENT_NAME = 1, 2, 4, 8
CLIENT_LIBRARY, CLIENT_NO_EVICT, CLIENT_NO_TOUCH, CLIENT_REPLY = 16, 32, 64, 128
REPLY_ON, REPLY_OFF, REPLY_SKIP = 0, 1, 2


class NativeError(RespkvError):
    """A negative status of the core; str() is the core's text, code its number."""

    code: ClassVar[int] = 0


class OutOfMemoryError(NativeError):
    code = lib.RKV_STATUS_ENOMEM


class DiskError(NativeError):
    code = lib.RKV_STATUS_EIO


class CorruptionError(NativeError):
    code = lib.RKV_STATUS_ECORRUPT


class NoSpaceError(NativeError):
    code = lib.RKV_STATUS_ENOSPC


class InvalidArgumentError(NativeError):
    code = lib.RKV_STATUS_EINVAL


class LockedError(NativeError):
    code = lib.RKV_STATUS_ELOCKED


class FormatError(NativeError):
    code = lib.RKV_STATUS_EFORMAT


class ReadOnlyError(NativeError):
    code = lib.RKV_STATUS_EREADONLY


class TooBigError(NativeError):
    code = lib.RKV_STATUS_ETOOBIG


class ClosedError(NativeError):
    code = lib.RKV_STATUS_ECLOSED


_ERRORS: dict[int, type[NativeError]] = {
    error.code: error
    for error in (
        OutOfMemoryError,
        DiskError,
        CorruptionError,
        NoSpaceError,
        InvalidArgumentError,
        LockedError,
        FormatError,
        ReadOnlyError,
        TooBigError,
        ClosedError,
    )
}


def _error(code: int) -> NativeError:
    text = ffi.string(lib.rkv_error()).decode("utf-8", "replace")
    return _ERRORS.get(code, NativeError)(text)


def _check(code: int) -> int:
    """Pass a status that is no error, raise the others."""
    if code < 0:
        raise _error(code)
    return code


def _take_text(out: CData) -> str:
    """Copy and free a text that the core gave away."""
    text = ffi.string(out[0]).decode("utf-8", "replace")
    lib.rkv_free(out[0])
    return text


def build_info() -> str:
    """Return how the core was built: "version=... lz4=yes crc32c=sse4.2 ..."."""
    return ffi.string(lib.rkv_build_info()).decode()


def crc64(data: bytes) -> int:
    """Return Redis's CRC-64 of a DUMP payload. Any thread."""
    return lib.rkv_crc64(data, len(data))


# ---- the store -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """struct rkv_options; None is the core's default."""

    memory_bytes: int | None = None
    memtable_bytes: int | None = None
    sync_policy: int | None = None
    mapped_wal: bool | None = None
    wal_segment_bytes: int | None = None
    value_log_min: int | None = None
    block_bytes: int | None = None
    bloom_bits: int | None = None
    compress: bool | None = None
    level_bytes: int | None = None
    table_bytes: int | None = None
    compaction_rate: int | None = None
    read_threads: int | None = None
    node: int | None = None
    read_only: bool | None = None


@dataclass(frozen=True)
class Recovery:
    """What opening a store found (struct rkv_recovery)."""

    created: bool
    tables: int
    table_bytes: int
    wal_records: int
    wal_bytes: int
    wal_cut_bytes: int
    max_hlc: int
    elapsed_ms: int
    wal_cut_at: str


class Progress:
    """How far a recovery is, readable on another thread while Store.open runs."""

    def __init__(self) -> None:
        self._numbers = ffi.new("uint64_t[2]")

    @property
    def done_bytes(self) -> int:
        return int(self._numbers[0])

    @property
    def all_bytes(self) -> int:
        return int(self._numbers[1])


class Cancel:
    """A flag that stops View.count; set it on any thread."""

    def __init__(self) -> None:
        self._flag = ffi.new("bool *")

    def set(self) -> None:
        self._flag[0] = True


class Cell(NamedTuple):
    """The winning cell of a key."""

    payload: bytes
    hlc: int
    node: int
    flags: int
    expires_at_ms: int

    def live(self, now_ms: int) -> bool:
        """Say whether a reader at now_ms sees it: no tombstone and not expired."""
        return not self.flags & TOMBSTONE and not 0 < self.expires_at_ms <= now_ms


class Entry(NamedTuple):
    """One step of an iterator. payload is empty when the values were left out."""

    key: bytes
    payload: bytes
    flags: int
    node: int
    hlc: int
    expires_at_ms: int


class KeyPage(NamedTuple):
    """A stretch of a walk over keys."""

    data: bytes
    """The matching keys as RESP bulk strings."""
    examined: int
    matched: int
    following: bytes | None
    """The internal key where the walk goes on; None: it has ended."""
    new_slot: bool
    """That key is in another slot than the last examined one."""


class Population(NamedTuple):
    """The live keys of one stored database."""

    keys: int = 0
    expiring: int = 0
    ttl_sum_ms: int = 0
    """Of the keys that expire, together."""


@dataclass(frozen=True)
class Census:
    """How many keys each stored database has at one moment."""

    now_ms: int
    databases: dict[int, Population] = field(default_factory=dict)
    next_expiry_ms: int = 0
    """When the first of the counted keys expires; 0: none will. Until then only writes change the count."""

    def of(self, db: int) -> Population:
        """Return the population of a stored database."""
        return self.databases.get(db, Population())


def _fill(out: CData, options: object) -> CData:
    """Set the fields of a C struct that are not None in a dataclass with the same names."""
    for each in fields(options):  # type: ignore[arg-type]
        value = getattr(options, each.name)
        if value is not None:
            setattr(out, each.name, value)
    return out


def _store_options(options: StoreOptions | None) -> CData:
    out = ffi.new("rkv_options *")
    lib.rkv_options_init(out)
    return _fill(out, options or StoreOptions())


def _take_cell(rc: int, out: CData) -> Cell | None:
    if _check(rc) == lib.RKV_STATUS_NOTFOUND:
        return None
    cell = Cell(
        ffi.buffer(out.data, out.size)[:],
        out.hlc,
        out.node,
        out.flags,
        out.expires_at_ms,
    )
    lib.rkv_cell_clear(out)
    return cell


class Store:
    """An open store. One thread owns it; see the header for what others may call."""

    def __init__(self, pointer: CData, recovery: Recovery) -> None:
        self.pointer = pointer
        self.recovery = recovery
        self._seq = ffi.new("uint64_t *")

    @classmethod
    def open(
        cls, directory: str, options: StoreOptions | None = None, progress: Progress | None = None
    ) -> Store:
        """Open or create the store in a directory; blocks while it recovers.

        Args:
            directory: created if absent.
            options: see the header; the core's defaults where None.
            progress: shows another thread how far recovery is.

        Raises:
            LockedError: another process has it. FormatError, CorruptionError, DiskError, NoSpaceError.
        """
        out = ffi.new("rkv_store **")
        found = ffi.new("rkv_recovery *")
        numbers = progress._numbers if progress else ffi.NULL
        _check(lib.rkv_store_open(out, directory.encode(), _store_options(options), found, numbers))
        values: dict[str, Any] = {each.name: getattr(found, each.name) for each in fields(Recovery)}
        values["wal_cut_at"] = ffi.string(found.wal_cut_at).decode("utf-8", "replace")
        return cls(out[0], Recovery(**values))

    def close(self) -> None:
        """Commit, sync and close; servers and views must be gone. A second call does nothing."""
        if hasattr(self, "pointer"):
            pointer = self.pointer
            del self.pointer
            _check(lib.rkv_store_close(pointer))

    def tick(self) -> int:
        """Return a version stamp above all given before."""
        return lib.rkv_store_tick(self.pointer)

    def now_ms(self) -> int:
        return lib.rkv_now_ms(self.pointer)

    def write(self, batch: bytes) -> int:
        """Apply a commit batch; return the seq that Server.reply can wait for."""
        _check(lib.rkv_store_write(self.pointer, batch, len(batch), self._seq))
        return int(self._seq[0])

    def last_seq(self) -> int:
        """Return the seq of the last record in the log."""
        return lib.rkv_store_last_seq(self.pointer)

    def sync(self) -> None:
        _check(lib.rkv_store_sync(self.pointer))

    def set_sync(self, policy: int) -> None:
        _check(lib.rkv_store_set_sync(self.pointer, policy))

    def set_memory(self, memory_bytes: int) -> None:
        _check(lib.rkv_store_set_memory(self.pointer, memory_bytes))

    def failure(self) -> NativeError | None:
        """Return why writes are refused, or None while they are not. Any thread."""
        code = lib.rkv_store_failure(self.pointer)
        return None if code == 0 else _error(code)

    def get(self, key: bytes) -> Cell | None:
        """Return the winning cell of an internal key, dead ones too; waits for the disk."""
        out = ffi.new("rkv_cell *")
        return _take_cell(lib.rkv_store_get(self.pointer, key, len(key), out), out)

    def view(self) -> View:
        """Take a stable picture of the store."""
        pointer = lib.rkv_view_acquire(self.pointer)
        if pointer == ffi.NULL:
            raise _error(lib.RKV_STATUS_ENOMEM)
        return View(pointer)

    def flush(self) -> None:
        _check(lib.rkv_store_flush(self.pointer))

    def compact(self, lower: bytes = b"", upper: bytes = b"") -> None:
        _check(lib.rkv_store_compact(self.pointer, lower, len(lower), upper, len(upper)))

    def wait_idle(self) -> None:
        _check(lib.rkv_store_wait_idle(self.pointer))

    def checkpoint(self, new_dir: str) -> None:
        _check(lib.rkv_store_checkpoint(self.pointer, new_dir.encode()))

    def verify(self) -> list[str]:
        """Read every file and check every checksum; return one line for each problem. Any thread."""
        out = ffi.new("char **")
        rc = lib.rkv_store_verify(self.pointer, out)
        if rc != lib.RKV_STATUS_ECORRUPT:
            _check(rc)
        return _take_text(out).splitlines()

    def stats(self) -> dict[str, int]:
        out = ffi.new("char **")
        _check(lib.rkv_store_stats(self.pointer, out))
        return {name: int(value) for name, value in (line.split() for line in _take_text(out).splitlines())}


def repair(directory: str, options: StoreOptions | None = None) -> list[str]:
    """Rebuild the manifest of a closed store from its tables; return what was done, a line each."""
    out = ffi.new("char **")
    _check(lib.rkv_store_repair(directory.encode(), _store_options(options), out))
    return _take_text(out).splitlines()


class View:
    """A stable picture of the store; use and release it on any thread."""

    def __init__(self, pointer: CData) -> None:
        self._pointer = pointer

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def release(self) -> None:
        if hasattr(self, "_pointer"):
            pointer = self._pointer
            del self._pointer
            lib.rkv_view_release(pointer)

    def get(self, key: bytes) -> Cell | None:
        """Return the winning cell of an internal key, dead ones too; waits for the disk."""
        out = ffi.new("rkv_cell *")
        return _take_cell(lib.rkv_view_get(self._pointer, key, len(key), out), out)

    def iterate(self, lower: bytes = b"", upper: bytes = b"", now_ms: int = 0, scan: bool = False) -> Cursor:
        """Iterate over [lower, upper). now_ms 0 shows dead cells too; scan leaves the block cache alone."""
        out = ffi.new("rkv_iter **")
        _check(lib.rkv_iter_new(out, self._pointer, lower, len(lower), upper, len(upper), now_ms, scan))
        return Cursor(out[0])

    def count(self, lower: bytes, upper: bytes, now_ms: int, cancel: Cancel | None = None) -> int | None:
        """Count the live keys of [lower, upper); None when cancelled."""
        out = ffi.new("uint64_t *")
        flag = cancel._flag if cancel else ffi.NULL
        rc = lib.rkv_view_count(self._pointer, lower, len(lower), upper, len(upper), now_ms, flag, out)
        if rc == lib.RKV_STATUS_ECLOSED:
            return None
        _check(rc)
        return int(out[0])

    def census(self, now_ms: int) -> Census:
        """Count the live keys (META cells) of every stored database in one pass over the view."""
        out = ffi.new("rkv_population[]", STORED_DATABASES)
        next_expiry = ffi.new("uint64_t *")
        _check(lib.rkv_view_census(self._pointer, now_ms, out, next_expiry))
        counted = ((db, out[db]) for db in range(STORED_DATABASES))
        found = {db: Population(p.keys, p.expiring, p.ttl_sum_ms) for db, p in counted if p.keys}
        return Census(now_ms, found, int(next_expiry[0]))


_ENTRY = struct.Struct("=IIIIQQ")


class Cursor:
    """An iterator. It keeps its view alive by itself; one thread at a time."""

    def __init__(self, pointer: CData) -> None:
        self._pointer = pointer
        self._data = ffi.new("uint8_t **")
        self._size = ffi.new("size_t *")
        self._keys = ffi.new("rkv_keys *")

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        if hasattr(self, "_pointer"):
            pointer = self._pointer
            del self._pointer
            lib.rkv_iter_free(pointer)

    def seek(self, key: bytes, for_prev: bool = False) -> None:
        """Stand on the first key >= key, or with for_prev on the last key < key."""
        _check(lib.rkv_iter_seek(self._pointer, key, len(key), for_prev))

    def chunk(self, bytes_max: int, values: bool = True, backwards: bool = False) -> list[Entry]:
        """Take entries of about bytes_max together, at least one; an empty list is the end."""
        _check(lib.rkv_iter_chunk(self._pointer, values, backwards, bytes_max, self._data, self._size))
        return list(_entries(ffi.buffer(self._data[0], self._size[0])[:])) if self._size[0] else []

    def keys(
        self, db: int, pattern: bytes | None, examined_max: int, bytes_max: int, write: bool = True
    ) -> KeyPage:
        """Walk over the client keys of a stored database from where it stands; none of it in Python.

        Args:
            db: stored database.
            pattern: a glob; None: every key matches.
            examined_max: how many keys to look at at most.
            bytes_max: about how many bytes to write at most.
            write: write the keys that match, or only count them.
        """
        out, size = self._keys, len(pattern or b"")
        glob = ffi.NULL if pattern is None else pattern
        _check(lib.rkv_iter_keys(self._pointer, db, glob, size, write, examined_max, bytes_max, out))
        following = ffi.buffer(out.next, out.next_size)[:] if out.next != ffi.NULL else None
        data = ffi.buffer(out.data, out.size)[:] if out.size else b""
        return KeyPage(data, out.examined, out.matched, following, out.new_slot)


def _entries(data: bytes) -> Iterator[Entry]:
    offset = 0
    while offset < len(data):
        key_size, payload_size, flags, node, hlc, expires = _ENTRY.unpack_from(data, offset)
        offset += _ENTRY.size
        key = data[offset : offset + key_size]
        offset += key_size
        payload = data[offset : offset + payload_size]
        offset += payload_size
        yield Entry(key, payload, flags, node, hlc, expires)


# ---- the server ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Limits:
    """struct rkv_limits; None is the core's default."""

    clients_max: int | None = None
    clients_unauthenticated_max: int | None = None
    bulk_bytes_max: int | None = None
    value_bytes_max: int | None = None
    key_bytes_max: int | None = None
    query_buffer_max: int | None = None
    output_hard_max: int | None = None
    output_soft_max: int | None = None
    output_soft_seconds: int | None = None
    all_buffers_max: int | None = None
    timeout_s: int | None = None
    auth_timeout_s: int | None = None
    tcp_keepalive_s: int | None = None
    auth_required: bool | None = None
    protected_mode: bool | None = None
    slowlog_us: int | None = None
    databases: int | None = None


class Request(NamedTuple):
    """A command that C does not run itself. Reply to it with last=True, also when its client has gone."""

    client: int
    args: list[bytes]
    db: int
    resp: int
    authenticated: bool


@dataclass(frozen=True)
class Client:
    """What CLIENT LIST shows (struct rkv_client)."""

    id: int
    fd: int
    address: str
    local_address: str
    name: str
    lib_name: str
    lib_version: str
    user: str
    last_command: str
    db: int
    resp: int
    authenticated: bool
    no_evict: bool
    no_touch: bool
    blocked: bool
    reply_mode: int
    created_ms: int
    active_ms: int
    query_bytes: int
    query_capacity: int
    output_bytes: int
    commands: int
    bytes_in: int
    bytes_out: int


class CommandStats(NamedTuple):
    """How a native command did."""

    name: str
    calls: int
    ns: int
    rejected: int
    failed: int


class Slow(NamedTuple):
    """A native command slower than Limits.slowlog_us.

    args are the first 32, each perhaps cut; sizes are their true sizes, argc how many there were.
    """

    client: int
    at_ms: int
    us: int
    argc: int
    args: list[bytes]
    sizes: list[int]


_CLIENT_TEXTS = frozenset(
    {"address", "local_address", "name", "lib_name", "lib_version", "user", "last_command"}
)
_CLIENT_FIELDS = tuple(each.name for each in fields(Client))


class NativeCommand(NamedTuple):
    """A command that C runs: arity and key positions as in COMMAND INFO."""

    name: str
    arity: int
    write: bool
    first_key: int
    last_key: int
    key_step: int


def native_commands() -> dict[str, NativeCommand]:
    """Return the commands that C runs, by their lower case names."""
    count = lib.rkv_server_commands(ffi.NULL, 0)
    out = ffi.new(f"rkv_command[{count}]")
    lib.rkv_server_commands(out, count)
    found = (
        NativeCommand(ffi.string(c.name).decode(), c.arity, c.write, c.first_key, c.last_key, c.key_step)
        for c in (out[i] for i in range(count))
    )
    return {command.name: command for command in found}


class Server:
    """Client connections on a store; belongs to the store's owner thread."""

    def __init__(self, store: Store, limits: Limits | None = None) -> None:
        out = ffi.new("rkv_server **")
        _check(lib.rkv_server_new(out, store.pointer, self._limits(limits)))
        self._pointer = out[0]
        self._store = store  # a server must not outlive its store
        self._request = ffi.new("rkv_request *")

    @staticmethod
    def _limits(limits: Limits | None) -> CData:
        out = ffi.new("rkv_limits *")
        lib.rkv_limits_init(out)
        return _fill(out, limits or Limits())

    def close(self) -> None:
        """Close every client and free the server. A second call does nothing."""
        if hasattr(self, "_pointer"):
            pointer = self._pointer
            del self._pointer
            lib.rkv_server_free(pointer)

    def configure(self, limits: Limits) -> None:
        """Change the limits; what is None goes back to the default."""
        _check(lib.rkv_server_configure(self._pointer, self._limits(limits)))

    def listen(self, fd: int) -> None:
        """Accept clients from a listening socket, which stays the caller's."""
        _check(lib.rkv_server_listen(self._pointer, fd))

    def unlisten(self, fd: int) -> None:
        _check(lib.rkv_server_unlisten(self._pointer, fd))

    def fileno(self) -> int:
        """Return the descriptor to watch: readable whenever poll has something to do."""
        return lib.rkv_server_fd(self._pointer)

    def poll(self, budget_us: int) -> int:
        """Serve everything that is ready; return how many requests wait."""
        count = lib.rkv_server_poll(self._pointer, budget_us)
        return count if count >= 0 else _check(count)

    def cron(self) -> None:
        """Look after time-outs and buffer limits: about ten times a second."""
        lib.rkv_server_cron(self._pointer)

    def request(self) -> Request | None:
        """Take the next command that C does not run, or None."""
        request = self._request
        if lib.rkv_server_request(self._pointer, request) != lib.RKV_STATUS_OK:
            return None
        buffer = ffi.buffer
        args = [buffer(arg.data, arg.size)[:] for arg in request.args[0 : request.argc]]
        return Request(request.client, args, request.db, request.resp, request.authenticated)

    def reply(self, client: int, data: bytes, wait_seq: int = 0, last: bool = True) -> bool:
        """Append reply bytes to the running request of a client.

        Args:
            client: Request.client.
            data: encoded reply, or a piece of it.
            wait_seq: hold it until the log is durable to this seq; 0: do not.
            last: finish the request, so that the client goes on.

        Returns:
            Whether the client is still there.
        """
        rc = lib.rkv_server_reply(self._pointer, client, data, len(data), wait_seq, last)
        if rc == lib.RKV_STATUS_ETOOBIG:
            return False
        return _check(rc) == lib.RKV_STATUS_OK

    def unsent(self, client: int) -> int:
        """Return how many reply bytes wait to be sent: pause long replies above a MiB."""
        return lib.rkv_server_unsent(self._pointer, client)

    def client(self, client: int) -> Client | None:
        """Return what is known about a client, or None when it has gone."""
        out = ffi.new("rkv_client *")
        if _check(lib.rkv_client_get(self._pointer, client, out)) != lib.RKV_STATUS_OK:
            return None
        values = {name: getattr(out, name) for name in _CLIENT_FIELDS}
        for name in _CLIENT_TEXTS:
            values[name] = ffi.string(values[name]).decode("utf-8", "replace")
        return Client(**values)

    def clients(self) -> list[int]:
        """Return the ids of all clients, ascending."""
        count = lib.rkv_client_list(self._pointer, ffi.NULL, 0)
        out = ffi.new(f"uint64_t[{max(count, 1)}]")
        lib.rkv_client_list(self._pointer, out, count)
        return [int(out[i]) for i in range(count)]

    def client_set(self, client: int, **values: int | bool | str) -> bool:
        """Change fields of a client, named as in Client; return whether it is still there.

        authenticated and user go together, and so do lib_name and lib_version.
        """
        new = ffi.new("rkv_client *")
        new.id = client
        mask = 0
        for name, value in values.items():
            setattr(new, name, value.encode() if isinstance(value, str) else value)
            mask |= _CLIENT_MASKS[name]
        return _check(lib.rkv_client_set(self._pointer, new, mask)) == lib.RKV_STATUS_OK

    def client_close(self, client: int, after_replies: bool = False) -> bool:
        """Close a client, at once or when its replies are out; return whether it was there."""
        return _check(lib.rkv_client_close(self._pointer, client, after_replies)) == lib.RKV_STATUS_OK

    def pause(self, until_ms: int, writes_only: bool) -> None:
        """Hold commands until a wall time; 0 ends it."""
        lib.rkv_server_pause(self._pointer, until_ms, writes_only)

    def map_databases(self, mapping: Sequence[int]) -> None:
        """Set which stored database each logical one is."""
        _check(lib.rkv_server_map_databases(self._pointer, bytes(mapping), len(mapping)))

    def command_stats(self) -> list[CommandStats]:
        count = lib.rkv_server_command_stats(self._pointer, ffi.NULL, 0)
        out = ffi.new(f"rkv_command_stats[{count}]")
        lib.rkv_server_command_stats(self._pointer, out, count)
        return [
            CommandStats(ffi.string(s.name).decode(), s.calls, s.ns, s.rejected, s.failed)
            for s in (out[i] for i in range(count))
        ]

    def slow(self) -> list[Slow]:
        """Take the slow commands collected since the last call, oldest first."""
        out = ffi.new("rkv_slow *")
        found = []
        while lib.rkv_server_slow(self._pointer, out) == lib.RKV_STATUS_OK:
            kept = range(out.argc)
            args = [ffi.buffer(out.argv[i], out.sizes[i])[:] for i in kept]
            sizes = [int(out.sizes_all[i]) for i in kept]
            found.append(Slow(out.client, out.at_ms, out.us, out.argc_all, args, sizes))
        return found

    def stats(self) -> dict[str, int]:
        """Return the server's gauges and counters by their names in rkv_server_stats."""
        out = ffi.new("rkv_server_stats *")
        lib.rkv_server_get_stats(self._pointer, out)
        return {name: int(getattr(out, name)) for name, _ in ffi.typeof("rkv_server_stats").fields}

    def reset_stats(self) -> None:
        lib.rkv_server_reset_stats(self._pointer)


_CLIENT_MASKS = {
    "db": CLIENT_DB,
    "resp": CLIENT_RESP,
    "authenticated": CLIENT_AUTH,
    "user": CLIENT_AUTH,
    "name": CLIENT_NAME,
    "lib_name": CLIENT_LIBRARY,
    "lib_version": CLIENT_LIBRARY,
    "no_evict": CLIENT_NO_EVICT,
    "no_touch": CLIENT_NO_TOUCH,
    "reply_mode": CLIENT_REPLY,
}
