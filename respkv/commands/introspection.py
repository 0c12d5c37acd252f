"""COMMAND: the table of commands, told to clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from respkv.commands.arguments import SYNTAX, text
from respkv.commands.context import Arguments, Context, Handler
from respkv.commands.reply import Encoded, Members, Reply, Status, encode
from respkv.commands.spec import Command, KeySpec
from respkv.commands.table import COMMANDS, find
from respkv.errors import CommandError
from respkv.storage.glob import matcher


@cache
def _everything_encoded(what: str, resp: int) -> Encoded:
    """The whole table as a reply: it takes 10 ms to make, and redis-cli asks for it whenever it starts."""
    if what == "docs":
        return Encoded(encode({entry.name: entry.document() for entry in COMMANDS.values()}, resp))
    return Encoded(encode([entry.describe() for entry in COMMANDS.values()], resp))


def command(ctx: Context, args: Arguments) -> Reply:
    """COMMAND."""
    return _everything_encoded("info", ctx.resp)


def count(ctx: Context, args: Arguments) -> Reply:
    """COMMAND COUNT."""
    return len(COMMANDS)


def info(ctx: Context, args: Arguments) -> Reply:
    """COMMAND INFO [name...]."""
    if len(args) == 2:
        return command(ctx, args)
    found = (find(text(name).lower()) for name in args[2:])
    return [entry.describe() if entry else None for entry in found]


def docs(ctx: Context, args: Arguments) -> Reply:
    """COMMAND DOCS [name...]."""
    if len(args) == 2:
        return _everything_encoded("docs", ctx.resp)
    names = [text(name).lower() for name in args[2:]]
    return {entry.name: entry.document() for name in names if (entry := find(name))}


def list_(ctx: Context, args: Arguments) -> Reply:
    """COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]."""
    if len(args) == 2:
        return [entry.name for entry in _everything()]
    if len(args) != 5 or args[2].upper() != b"FILTERBY":
        raise CommandError(SYNTAX)
    wanted = _filter(args[3].upper(), args[4])
    return [entry.name for entry in _everything() if wanted(entry)]


def _everything() -> Iterator[Command]:
    for entry in COMMANDS.values():
        yield from entry.all()


def _filter(kind: bytes, value: bytes) -> Callable[[Command], object]:
    if kind == b"MODULE":
        return lambda entry: False
    if kind == b"ACLCAT":
        category = text(value).lower()
        return lambda entry: category in entry.categories()
    if kind == b"PATTERN":
        matches = matcher(value, True)
        return lambda entry: matches(entry.name.encode())
    raise CommandError(SYNTAX)


# ---- keys
# ----------------------------------------------------------------------------------------------------


def lookup(args: Arguments) -> Command | None:
    """Return the command, or subcommand, that the arguments call."""
    entry = COMMANDS.get(text(args[0]).lower())
    if entry and entry.subcommands and len(args) > 1:
        return entry.subcommands.get(text(args[1]).lower())
    return entry


def keys_of(entry: Command, args: Arguments) -> list[tuple[bytes, KeySpec]]:
    """Return the keys among the arguments of a command, each with what is done to it."""
    return [(args[at], spec) for spec in entry.keys for at in spec.positions(len(args))]


def _keys(args: Arguments) -> tuple[Command, list[tuple[bytes, KeySpec]]]:
    entry = lookup(args)
    if entry is None:
        raise CommandError("ERR Invalid command specified")
    if not entry.keys:
        raise CommandError("ERR The command has no key arguments")
    if not entry.takes(len(args)):
        raise CommandError("ERR Invalid number of arguments specified for command")
    return entry, keys_of(entry, args)


def getkeys(ctx: Context, args: Arguments) -> Reply:
    """COMMAND GETKEYS name argument..."""
    return [key for key, _ in _keys(args[2:])[1]]


def getkeysandflags(ctx: Context, args: Arguments) -> Reply:
    """COMMAND GETKEYSANDFLAGS name argument..."""
    entry, keys = _keys(args[2:])
    return [[key, Members([Status(flag) for flag in _flags(entry, spec, args[2:])])] for key, spec in keys]


def _flags(entry: Command, spec: KeySpec, args: Arguments) -> list[str]:
    """What a command does to a key, where that depends on its options: of SET only."""
    flags = spec.flags.split()
    if "variable_flags" not in flags:
        return flags
    reads = {b"GET", b"IFEQ", b"IFNE"} & {argument.upper() for argument in args[3:]}
    return ["RW", "access", "update"] if reads else ["OW", "update"]


HELP = [
    "COMMAND <subcommand> [<argument> ...]. Subcommands are:",
    "(no subcommand)",
    "    Arity, flags and key positions of every command.",
    "COUNT",
    "    How many commands there are.",
    "DOCS [<name> ...]",
    "    Texts and arguments of commands.",
    "GETKEYS <whole command>, GETKEYSANDFLAGS <whole command>",
    "    The keys in it.",
    "INFO [<name> ...]",
    "    Arity, flags and key positions of commands.",
    "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    The names of commands.",
    "HELP",
    "    This text.",
]


def help_(ctx: Context, args: Arguments) -> Reply:
    """COMMAND HELP."""
    return [Status(line) for line in HELP]


HANDLERS: dict[str, Handler] = {
    "command": command,
    "command|count": count,
    "command|docs": docs,
    "command|getkeys": getkeys,
    "command|getkeysandflags": getkeysandflags,
    "command|help": help_,
    "command|info": info,
    "command|list": list_,
}
