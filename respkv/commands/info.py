"""INFO: figures of the server under Redis's names, and under "Respkv" what Redis has no name for.

Tools read these by name; a figure that means nothing here has the value that it has in an idle Redis. The
number of keys may be a little old where counting is dear (see counts.KeyCounts.recent); DBSIZE is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from respkv.commands.arguments import text
from respkv.commands.context import Arguments, CommandFigures, Context, Handler
from respkv.commands.reply import Reply, Verbatim
from respkv.commands.version import REDIS_VERSION, RESPKV_VERSION
from respkv.storage.census import Census

Fields = dict[str, object]


def readable(size: int) -> str:
    """Return bytes the way INFO shows them to people."""
    for unit, scale in (("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size >= scale:
            return f"{size / scale:.2f}{unit}"
    return f"{size}B"


def _server(ctx: Context) -> Fields:
    services = ctx.services
    host, now_ms = services.host.figures(), services.clock.now_ms()
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "respkv",
        "redis_mode": "standalone",
        "os": host["os"],
        "arch_bits": host["arch_bits"],
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "epoll",
        "atomicvar_api": "c11-builtin",
        "gcc_version": host["gcc_version"],
        "process_id": host["process_id"],
        "process_supervised": services.config.text("supervised"),
        "run_id": host["run_id"],
        "tcp_port": services.config.integer("port"),
        "server_time_usec": now_ms * 1000,
        "uptime_in_seconds": host["uptime_s"],
        "uptime_in_days": int(host["uptime_s"]) // 86400,
        "hz": 10,
        "configured_hz": services.config.integer("hz"),
        "lru_clock": now_ms // 1000 & 0xFFFFFF,
        "executable": host["executable"],
        "config_file": services.config.path or "",
        "io_threads_active": 0,
    }


def _clients(ctx: Context) -> Fields:
    stats = ctx.services.clients.stats()
    return {
        "connected_clients": stats["clients"],
        "cluster_connections": 0,
        "maxclients": ctx.services.config.integer("maxclients"),
        "client_recent_max_input_buffer": 0,
        "client_recent_max_output_buffer": 0,
        "blocked_clients": stats["blocked"],
        "tracking_clients": 0,
        "clients_in_timeout_table": 0,
    }


def _memory(ctx: Context) -> Fields:
    services = ctx.services
    memory, stats, engine = services.host.memory(), services.clients.stats(), ctx.store.engine.stats()
    dataset = engine.get("memtable_bytes", 0) + engine.get("cache_bytes", 0)
    budget = services.config.memory()
    sizes = {
        "used_memory": memory["used"],
        "used_memory_rss": memory["rss"],
        "used_memory_peak": memory["peak"],
        "used_memory_overhead": max(memory["used"] - dataset, 0),
        "used_memory_startup": memory["startup"],
        "used_memory_dataset": dataset,
        "total_system_memory": memory["total"],
        "maxmemory": budget,
    }
    fields: Fields = {}
    for name, size in sizes.items():
        fields[name] = size
        if name not in ("used_memory_overhead", "used_memory_startup", "used_memory_dataset"):
            fields[name + "_human"] = readable(size)
        if name == "used_memory_peak":
            fields["used_memory_peak_perc"] = f"{100 * memory['used'] / max(memory['peak'], 1):.2f}%"
        if name == "used_memory_dataset":
            fields["used_memory_dataset_perc"] = f"{100 * dataset / max(memory['used'], 1):.2f}%"
    return fields | {
        "maxmemory_policy": services.config.text("maxmemory-policy"),
        "mem_fragmentation_ratio": f"{memory['rss'] / max(memory['used'], 1):.2f}",
        "mem_fragmentation_bytes": memory["rss"] - memory["used"],
        "mem_clients_slaves": 0,
        "mem_clients_normal": stats["query_bytes"] + stats["output_bytes"],
        "mem_aof_buffer": 0,
        "mem_allocator": "libc",
        "active_defrag_running": 0,
        "lazyfree_pending_objects": len(ctx.store.databases.dropping),
        "lazyfreed_objects": 0,
    }


def _persistence(ctx: Context) -> Fields:
    services = ctx.services
    state = "err" if services.failure() else "ok"
    return {
        "loading": 0,
        "async_loading": 0,
        "current_cow_peak": 0,
        "current_cow_size": 0,
        "current_cow_size_age": 0,
        "current_fork_perc": "0.00",
        "current_save_keys_processed": 0,
        "current_save_keys_total": 0,
        "rdb_changes_since_last_save": max(ctx.store.marker() - services.last_save_seq, 0),
        "rdb_bgsave_in_progress": int(services.saving > 0),
        "rdb_last_save_time": services.last_save_ms // 1000,
        "rdb_last_bgsave_status": state,
        "rdb_last_bgsave_time_sec": -1,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_saves": services.saves,
        "rdb_last_cow_size": 0,
        "aof_enabled": 1,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": state,
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
    }


def _stats(ctx: Context) -> Fields:
    services = ctx.services
    stats, statistics = services.clients.stats(), services.statistics
    commands, bytes_in, bytes_out = statistics.rates()
    failures = sum(f.failed + f.rejected for f in all_figures(ctx))
    return {
        "total_connections_received": stats["connections"],
        "total_commands_processed": stats["commands"],
        "instantaneous_ops_per_sec": round(commands),
        "total_net_input_bytes": stats["bytes_in"],
        "total_net_output_bytes": stats["bytes_out"],
        "total_net_repl_input_bytes": 0,
        "total_net_repl_output_bytes": 0,
        "instantaneous_input_kbps": f"{bytes_in / 1024:.2f}",
        "instantaneous_output_kbps": f"{bytes_out / 1024:.2f}",
        "rejected_connections": stats["rejected"],
        "sync_full": 0,
        "sync_partial_ok": 0,
        "sync_partial_err": 0,
        "expired_keys": stats["expired_reads"],
        "expired_stale_perc": "0.00",
        "expired_time_cap_reached_count": 0,
        "evicted_keys": 0,
        "evicted_clients": stats["evicted_clients"],
        "keyspace_hits": stats["keyspace_hits"],
        "keyspace_misses": stats["keyspace_misses"],
        "pubsub_channels": 0,
        "pubsub_patterns": 0,
        "latest_fork_usec": 0,
        "total_forks": 0,
        "migrate_cached_sockets": 0,
        "tracking_total_keys": 0,
        "tracking_total_items": 0,
        "tracking_total_prefixes": 0,
        "unexpected_error_replies": 0,
        "total_error_replies": failures,
        "total_reads_processed": stats["polls"],
        "total_writes_processed": stats["polls"],
    }


def _replication(ctx: Context) -> Fields:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": ctx.services.host.figures()["run_id"],
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": ctx.services.config.integer("repl-backlog-size"),
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def _cpu(ctx: Context) -> Fields:
    host = ctx.services.host.figures()
    names = ("used_cpu_sys", "used_cpu_user", "used_cpu_sys_children", "used_cpu_user_children")
    return {name: host[name] for name in names}


def all_figures(ctx: Context) -> list[CommandFigures]:
    """Return the counters of every command that was called, native or not."""
    figures: list[CommandFigures] = [f for f in ctx.services.clients.command_stats() if f.calls or f.rejected]
    figures += ctx.services.statistics.commands.values()
    return figures


def _commandstats(ctx: Context) -> Fields:
    return {
        f"cmdstat_{f.name}": (
            f"calls={f.calls},usec={f.ns // 1000},usec_per_call={f.ns / 1000 / max(f.calls, 1):.2f},"
            f"rejected_calls={f.rejected},failed_calls={f.failed}"
        )
        for f in all_figures(ctx)
    }


def _errorstats(ctx: Context) -> Fields:
    return {f"errorstat_{code}": f"count={n}" for code, n in sorted(ctx.services.statistics.errors.items())}


def keyspace(ctx: Context, census: Census) -> Fields:
    """Return the section Keyspace: the databases that are not empty."""
    fields: Fields = {}
    for db in range(ctx.store.databases.count):
        keys, expiring, ttl = census.of(ctx.store.databases.stored(db))
        if keys:
            average = ttl // expiring if expiring else 0
            fields[f"db{db}"] = f"keys={keys},expires={expiring},avg_ttl={average}"
    return fields


def _respkv(ctx: Context) -> Fields:
    services = ctx.services
    stats = services.clients.stats()
    names = (
        "clients_unauthenticated",
        "protocol_errors",
        "foreign_protocols",
        "output_limit_closed",
        "query_limit_closed",
        "cold_reads",
        "query_bytes",
        "output_bytes",
    )
    fields: Fields = {
        "respkv_version": RESPKV_VERSION,
        "build": services.host.figures()["build"],
        "durability": services.config.text("appendfsync"),
        "failure": services.failure() or "none",
        "databases_dropping": len(ctx.store.databases.dropping),
    }
    fields |= {name: stats[name] for name in names}
    return fields | {f"engine_{name}": value for name, value in ctx.store.engine.stats().items()}


SECTIONS: dict[str, tuple[str, Callable[[Context], Fields] | None]] = {
    "server": ("Server", _server),
    "clients": ("Clients", _clients),
    "memory": ("Memory", _memory),
    "persistence": ("Persistence", _persistence),
    "stats": ("Stats", _stats),
    "replication": ("Replication", _replication),
    "cpu": ("CPU", _cpu),
    "modules": ("Modules", lambda ctx: {}),
    "commandstats": ("Commandstats", _commandstats),
    "errorstats": ("Errorstats", _errorstats),
    "latencystats": ("Latencystats", lambda ctx: {}),
    "cluster": ("Cluster", lambda ctx: {"cluster_enabled": 0}),
    "keyspace": ("Keyspace", None),
    "respkv": ("Respkv", _respkv),
}
NOT_BY_DEFAULT = {"commandstats", "latencystats"}


def chosen(words: Sequence[str]) -> list[str]:
    """Return the names of the sections asked for, in order; unknown ones are left out."""
    wanted: set[str] = set()
    for word in words or ["default"]:
        if word in ("all", "everything"):
            wanted |= set(SECTIONS)
        elif word == "default":
            wanted |= set(SECTIONS) - NOT_BY_DEFAULT
        else:
            wanted.add(word)
    return [name for name in SECTIONS if name in wanted]


def render(title: str, fields: Iterable[tuple[str, object]]) -> str:
    """Return a section as text."""
    return f"# {title}\r\n" + "".join(f"{name}:{value}\r\n" for name, value in fields)


async def info(ctx: Context, args: Arguments) -> Reply:
    """INFO [section...]."""
    parts = []
    for name in chosen([text(arg).lower() for arg in args[1:]]):
        title, make = SECTIONS[name]
        fields = make(ctx) if make else keyspace(ctx, await ctx.services.counts.recent())
        parts.append(render(title, fields.items()))
    return Verbatim("\r\n".join(parts))


HANDLERS: dict[str, Handler] = {"info": info}
