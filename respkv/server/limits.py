"""From directives to the limits of the C core."""

from __future__ import annotations

from respkv.config import Config
from respkv.native import SYNC_ALWAYS, SYNC_EVERYSEC, SYNC_NO, Limits, StoreOptions

SYNC = {"always": SYNC_ALWAYS, "everysec": SYNC_EVERYSEC, "no": SYNC_NO}
NODE = 1
"""The node id in the versions of a store that has no peers."""

FOLLOWED = frozenset(
    {
        "auth-timeout",
        "client-output-buffer-limit",
        "client-query-buffer-limit",
        "key-max-len",
        "latency-monitor-threshold",
        "maxclients",
        "maxclients-unauthenticated",
        "maxmemory",
        "maxmemory-clients",
        "proto-max-bulk-len",
        "protected-mode",
        "requirepass",
        "slowlog-log-slower-than",
        "tcp-keepalive",
        "timeout",
        "value-max-len",
    }
)
"""Directives that change the limits."""


def slow_us(config: Config) -> int:
    """Return from how many µs on a command is reported, for the slow log or as a latency event; -1: never."""
    slow, latency = (
        config.integer("slowlog-log-slower-than"),
        config.integer("latency-monitor-threshold") * 1000,
    )
    return min((us for us in (slow, latency or -1) if us >= 0), default=-1)


def limits_of(config: Config) -> Limits:
    """Return the limits of client connections."""
    output = config.output_limit("normal")
    return Limits(
        clients_max=config.integer("maxclients"),
        clients_unauthenticated_max=config.integer("maxclients-unauthenticated"),
        bulk_bytes_max=config.integer("proto-max-bulk-len"),
        value_bytes_max=config.integer("value-max-len"),
        key_bytes_max=config.integer("key-max-len"),
        query_buffer_max=config.integer("client-query-buffer-limit"),
        output_hard_max=output.hard_bytes,
        output_soft_max=output.soft_bytes,
        output_soft_seconds=output.soft_seconds,
        all_buffers_max=config.client_memory(),
        timeout_s=config.integer("timeout"),
        auth_timeout_s=config.integer("auth-timeout"),
        tcp_keepalive_s=config.integer("tcp-keepalive"),
        auth_required=bool(config.text("requirepass")),
        protected_mode=config.flag("protected-mode") and not config.text("requirepass"),
        slowlog_us=slow_us(config),
        databases=config.integer("databases"),
    )


def options_of(config: Config) -> StoreOptions:
    """Return the options of the store."""
    return StoreOptions(
        memory_bytes=config.memory(),
        memtable_bytes=config.integer("memtable-size"),
        sync_policy=SYNC[config.text("appendfsync")],
        mapped_wal=config.flag("wal-mapped"),
        wal_segment_bytes=config.integer("wal-segment-size"),
        value_log_min=config.integer("value-log-min"),
        block_bytes=config.integer("block-size"),
        bloom_bits=config.integer("bloom-bits"),
        compress=config.flag("compression"),
        level_bytes=config.integer("level-size"),
        table_bytes=config.integer("table-size"),
        compaction_rate=config.integer("compaction-rate"),
        read_threads=config.integer("read-threads"),
        node=NODE,
    )
