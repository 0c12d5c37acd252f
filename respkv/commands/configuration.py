"""CONFIG: directives read, changed, and written back."""

from __future__ import annotations

from respkv.commands.arguments import SYNTAX, text
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.reply import OK, Reply, Status
from respkv.config import Refused
from respkv.errors import CommandError
from respkv.storage.glob import PatternTooLong, matcher


def get(ctx: Context, args: Arguments) -> Reply:
    """CONFIG GET pattern..."""
    everything = dict(ctx.services.config.show())
    found: dict[Reply, Reply] = {}
    seen: set[str] = set()
    for argument in args[2:]:
        name = text(argument)
        if not set(name) & set("*?["):
            # Redis answers with the name as it was asked for.
            if name.lower() in everything and name.lower() not in seen:
                seen.add(name.lower())
                found[name] = everything[name.lower()]
            continue
        try:
            matches = matcher(argument, True)
        except PatternTooLong:
            continue
        for known, value in everything.items():
            if known not in seen and matches(known.encode()):
                seen.add(known)
                found[known] = value
    return found


def set_(ctx: Context, args: Arguments) -> Reply:
    """CONFIG SET name value..."""
    if len(args) % 2:
        raise CommandError(SYNTAX)
    wanted = [(text(name), text(value)) for name, value in zip(args[2::2], args[3::2], strict=True)]
    try:
        ctx.services.config.change(wanted)
    except KeyError as error:
        raise CommandError(
            f"ERR Unknown option or number of arguments for CONFIG SET - '{error.args[0]}'"
        ) from None
    except Refused as error:
        raise CommandError(
            f"ERR CONFIG SET failed (possibly related to argument '{error.name}') - {error}"
        ) from None
    return OK


async def rewrite(ctx: Context, args: Arguments) -> Reply:
    """CONFIG REWRITE."""
    config = ctx.services.config
    if config.path is None:
        raise CommandError("ERR The server is running without a config file")
    try:
        await ctx.services.run(config.rewrite)
    except OSError as error:
        raise CommandError(f"ERR Rewriting config file: {error.strerror}") from None
    ctx.services.log("CONFIG REWRITE: the configuration file has been written")
    return OK


def resetstat(ctx: Context, args: Arguments) -> Reply:
    """CONFIG RESETSTAT."""
    ctx.services.statistics.reset()
    ctx.services.clients.reset_stats()
    return OK


HELP = [
    "CONFIG <subcommand> [<argument> ...]. Subcommands are:",
    "GET <pattern> [<pattern> ...]",
    "    Directives that match, and their values.",
    "SET <directive> <value> [<directive> <value> ...]",
    "    Change directives, together or not at all.",
    "RESETSTAT",
    "    Set the counters of INFO to zero.",
    "REWRITE",
    "    Write the values into the configuration file.",
    "HELP",
    "    This text.",
]


def help_(ctx: Context, args: Arguments) -> Reply:
    """CONFIG HELP."""
    return [Status(line) for line in HELP]


HANDLERS: dict[str, Handler] = {
    "config|get": get,
    "config|help": help_,
    "config|resetstat": resetstat,
    "config|rewrite": rewrite,
    "config|set": set_,
}
