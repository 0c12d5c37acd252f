"""MEMORY: what a key takes, and where the process's memory goes."""

from __future__ import annotations

from respkv.commands.arguments import SYNTAX, integer
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.keyspace import fetch
from respkv.commands.reply import OK, Reply, Status, Verbatim
from respkv.errors import CommandError
from respkv.storage.keys import PREFIX_SIZE

CELL_BYTES = 26
"""A cell beside key and payload: version, node, flags, expiry and lengths, about."""
MALLOC_STATS = "The allocator is the C library's; what the engine holds stands in INFO under Respkv.\n"


async def usage(ctx: Context, args: Arguments) -> Reply:
    """MEMORY USAGE key [SAMPLES count]: the bytes of key and value in the store, before compression."""
    if len(args) not in (3, 5):
        raise CommandError(SYNTAX)
    if len(args) == 5 and (args[3].upper() != b"SAMPLES" or integer(args[4]) < 0):
        raise CommandError(SYNTAX)
    cell = await fetch(ctx, ctx.db, args[2])
    return None if cell is None else PREFIX_SIZE + len(args[2]) + CELL_BYTES + len(cell.payload)


async def stats(ctx: Context, args: Arguments) -> Reply:
    """MEMORY STATS."""
    services = ctx.services
    memory, connections = services.host.memory(), services.clients.stats()
    engine = ctx.store.engine.stats()
    held = engine.get("memtable_bytes", 0) + engine.get("cache_bytes", 0)
    buffers = connections.get("query_bytes", 0) + connections.get("output_bytes", 0)
    census = await services.counts.recent()
    keys = sum(population.keys for population in census.databases.values())
    return {
        "peak.allocated": memory["peak"],
        "total.allocated": memory["used"],
        "startup.allocated": memory["startup"],
        "replication.backlog": 0,
        "clients.slaves": 0,
        "clients.normal": buffers,
        "cluster.links": 0,
        "aof.buffer": 0,
        "lua.caches": 0,
        "functions.caches": 0,
        "overhead.total": memory["startup"] + buffers,
        "keys.count": keys,
        "keys.bytes-per-key": held // keys if keys else 0,
        "dataset.bytes": held,
        "dataset.percentage": 100.0 * held / max(memory["used"], 1),
        "peak.percentage": 100.0 * memory["used"] / max(memory["peak"], 1),
        "fragmentation": memory["rss"] / max(memory["used"], 1),
        "fragmentation.bytes": memory["rss"] - memory["used"],
    }


def doctor(ctx: Context, args: Arguments) -> Reply:
    """MEMORY DOCTOR."""
    memory, budget = ctx.services.host.memory(), ctx.services.config.memory()
    if memory["rss"] > budget * 2 + (256 << 20):
        return Verbatim(
            f"The process holds {memory['rss'] >> 20} MiB for a budget (maxmemory) of {budget >> 20} MiB. "
            "Look at clients' buffers in CLIENT LIST, and at the table memory in INFO.\n"
        )
    return Verbatim(f"Nothing unusual: {memory['rss'] >> 20} MiB for a budget of {budget >> 20} MiB.\n")


def malloc_stats(ctx: Context, args: Arguments) -> Reply:
    """MEMORY MALLOC-STATS."""
    return Verbatim(MALLOC_STATS)


def purge(ctx: Context, args: Arguments) -> Reply:
    """MEMORY PURGE."""
    return OK


HELP = [
    "MEMORY <subcommand> [<argument> ...]. Subcommands are:",
    "DOCTOR",
    "    What is wrong with memory, if anything.",
    "MALLOC-STATS, PURGE",
    "    Accepted; they mean nothing here.",
    "STATS",
    "    Figures of memory.",
    "USAGE <key> [SAMPLES <count>]",
    "    Bytes that a key takes in the store.",
    "HELP",
    "    This text.",
]


def help_(ctx: Context, args: Arguments) -> Reply:
    """MEMORY HELP."""
    return [Status(line) for line in HELP]


HANDLERS: dict[str, Handler] = {
    "memory|doctor": doctor,
    "memory|help": help_,
    "memory|malloc-stats": malloc_stats,
    "memory|purge": purge,
    "memory|stats": stats,
    "memory|usage": usage,
}
