"""What the HTTP port shows: figures for Prometheus, and whether the node is well."""

from __future__ import annotations

from collections.abc import Iterator

from respkv.commands.context import Services
from respkv.commands.version import RESPKV_VERSION
from respkv.metrics import Metric, render, single
from respkv.server.http import Page

PREFIX = "respkv_"
# Figures of the server and the engine that go up and down; all others only grow.
GAUGES = frozenset(
    [
        "clients",
        "clients_unauthenticated",
        "query_bytes",
        "output_bytes",
        "blocked",
        "memtable_bytes",
        "memtable_count",
        "table_memory",
        "cache_bytes",
        "cache_capacity",
        "cache_pinned",
        "wal_segments",
        "value_log_bytes",
        "value_log_garbage",
        "keys_estimate",
        "levels",
        "last_hlc",
        "write_delay_us_per_mib",
    ]
)


def pages_of(services: Services) -> dict[str, Page]:
    """Return the pages by path."""

    def health() -> tuple[int, str]:
        failure = services.failure()
        return (503, f"writes are refused: {failure}\n") if failure else (200, "ok\n")

    return {
        "/health": health,
        "/metrics": lambda: (200, render(_metrics(services))),
    }


def _kind(name: str) -> str:
    return "gauge" if name in GAUGES or name.startswith("level") else "counter"


def _metrics(services: Services) -> Iterator[Metric]:
    memory, host = services.host.memory(), services.host.figures()
    build = {"version": RESPKV_VERSION, "build": host["build"]}
    yield Metric(PREFIX + "info", "gauge", "Version and build, always 1.", [(build, 1)])
    yield single(PREFIX + "uptime_seconds", "gauge", "Since the start.", int(host["uptime_s"]))
    yield single(PREFIX + "resident_bytes", "gauge", "Memory of the process.", memory["rss"])
    yield single(PREFIX + "memory_budget_bytes", "gauge", "maxmemory.", services.config.memory())
    yield single(PREFIX + "failed", "gauge", "1 while writes are refused.", int(bool(services.failure())))
    for name, value in services.clients.stats().items():
        yield single(f"{PREFIX}server_{name}", _kind(name), "Of client connections.", value)
    for name, value in services.store.engine.stats().items():
        yield single(f"{PREFIX}engine_{name}", _kind(name), "Of the engine.", value)
    figures = [f for f in services.clients.command_stats() if f.calls or f.rejected]
    everything = [*figures, *services.statistics.commands.values()]
    calls = [({"command": f.name}, float(f.calls)) for f in everything]
    seconds = [({"command": f.name}, f.ns / 1e9) for f in everything]
    failures = [({"command": f.name}, float(f.failed + f.rejected)) for f in everything]
    yield Metric(PREFIX + "commands_total", "counter", "Commands that ran.", list(calls))
    yield Metric(PREFIX + "command_seconds_total", "counter", "Time in commands.", list(seconds))
    yield Metric(PREFIX + "command_failures_total", "counter", "Error replies.", list(failures))
