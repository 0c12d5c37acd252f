"""SLOWLOG and LATENCY: the two journals, told."""

from __future__ import annotations

from respkv.commands.arguments import INT64_MAX, integer, text, unknown_subcommand
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.reply import OK, Reply, Status, Verbatim
from respkv.errors import CommandError

COUNT_DEFAULT = 10
COUNT_ERROR = "ERR count should be greater than or equal to -1"
BARS = "_.-~oO#"


def slowlog_get(ctx: Context, args: Arguments) -> Reply:
    """SLOWLOG GET [count]."""
    if len(args) > 3:
        raise unknown_subcommand(args[1], "SLOWLOG")
    count = COUNT_DEFAULT
    if len(args) == 3:
        count = integer(args[2], COUNT_ERROR)
        if not -1 <= count <= INT64_MAX:
            raise CommandError(COUNT_ERROR)
    return [
        [entry.id, entry.at_s, entry.us, entry.args, entry.address, entry.name]
        for entry in ctx.services.slow.latest(count)
    ]


def slowlog_len(ctx: Context, args: Arguments) -> Reply:
    """SLOWLOG LEN."""
    return len(ctx.services.slow)


def slowlog_reset(ctx: Context, args: Arguments) -> Reply:
    """SLOWLOG RESET."""
    ctx.services.slow.clear()
    return OK


def latency_latest(ctx: Context, args: Arguments) -> Reply:
    """LATENCY LATEST."""
    journal = ctx.services.latency
    return [[event, *journal.history(event)[-1], journal.longest(event)] for event in journal.events()]


def latency_history(ctx: Context, args: Arguments) -> Reply:
    """LATENCY HISTORY event."""
    return [list(sample) for sample in ctx.services.latency.history(text(args[2]))]


def latency_reset(ctx: Context, args: Arguments) -> Reply:
    """LATENCY RESET [event...]."""
    return ctx.services.latency.reset([text(arg) for arg in args[2:]])


def latency_graph(ctx: Context, args: Arguments) -> Reply:
    """LATENCY GRAPH event: a line for each sample, as long as it took."""
    event = text(args[2])
    samples = ctx.services.latency.history(event)
    if not samples:
        raise CommandError(f"ERR No samples available for event '{event}'")
    longest = max(ms for _, ms in samples)
    low = min(ms for _, ms in samples)
    bars = "".join(BARS[(ms - low) * (len(BARS) - 1) // max(longest - low, 1)] for _, ms in samples)
    ago = ctx.services.clock.now_ms() // 1000 - samples[0][0]
    return Verbatim(f"{event} - high {longest} ms, low {low} ms\n{bars}\nThe first was {ago} s ago.\n")


def latency_doctor(ctx: Context, args: Arguments) -> Reply:
    """LATENCY DOCTOR."""
    threshold = ctx.services.config.integer("latency-monitor-threshold")
    journal = ctx.services.latency
    if threshold == 0:
        return Verbatim(
            'Nothing is watched: say "CONFIG SET latency-monitor-threshold <milliseconds>" to begin.\n'
        )
    if not journal.events():
        return Verbatim(f"No command has taken {threshold} ms or more.\n")
    lines = [f"Commands that took {threshold} ms or more:"]
    for event in journal.events():
        times = [ms for _, ms in journal.history(event)]
        mean = sum(times) / len(times)
        lines.append(
            f"{event}: {len(times)} seconds with one, mean {mean:.1f} ms, longest {journal.longest(event)} ms"
        )
    lines.append("SLOWLOG GET shows which commands they were.")
    return Verbatim("\n".join(lines) + "\n")


def latency_histogram(ctx: Context, args: Arguments) -> Reply:
    """LATENCY HISTOGRAM [command...]: none is kept, as in a Redis with latency-tracking no."""
    return {}


SLOWLOG_HELP = [
    "SLOWLOG <subcommand> [<argument>]. Subcommands are:",
    "GET [<count>]",
    "    The latest entries (10, -1: all): id, second, microseconds, arguments, client's address and name.",
    "LEN",
    "    How many there are.",
    "RESET",
    "    Forget them.",
    "HELP",
    "    This text.",
]
LATENCY_HELP = [
    "LATENCY <subcommand> [<argument> ...]. Subcommands are:",
    "DOCTOR",
    "    The events in words.",
    "GRAPH <event>, HISTORY <event>",
    "    The latest times of an event.",
    "HISTOGRAM [<command> ...]",
    "    Nothing: no histograms are kept.",
    "LATEST",
    "    The last and the longest time of every event.",
    "RESET [<event> ...]",
    "    Forget events.",
    "HELP",
    "    This text.",
]


def slowlog_help(ctx: Context, args: Arguments) -> Reply:
    """SLOWLOG HELP."""
    return [Status(line) for line in SLOWLOG_HELP]


def latency_help(ctx: Context, args: Arguments) -> Reply:
    """LATENCY HELP."""
    return [Status(line) for line in LATENCY_HELP]


HANDLERS: dict[str, Handler] = {
    "latency|doctor": latency_doctor,
    "latency|graph": latency_graph,
    "latency|help": latency_help,
    "latency|histogram": latency_histogram,
    "latency|history": latency_history,
    "latency|latest": latency_latest,
    "latency|reset": latency_reset,
    "slowlog|get": slowlog_get,
    "slowlog|help": slowlog_help,
    "slowlog|len": slowlog_len,
    "slowlog|reset": slowlog_reset,
}
