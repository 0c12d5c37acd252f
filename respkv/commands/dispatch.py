"""From the arguments of a request to the handler that answers: what Redis checks first, in Redis's order.

The command exists; the number of its arguments may be right; the client may use it. Native commands never
come here.
"""

from __future__ import annotations

from typing import NamedTuple

from respkv.commands import (
    client,
    configuration,
    connection,
    debug,
    diagnostics,
    info,
    introspection,
    keyspace,
    memory,
    scan,
    server,
)
from respkv.commands.arguments import text
from respkv.commands.context import Arguments, Handler
from respkv.commands.spec import Command
from respkv.commands.table import COMMANDS
from respkv.errors import CommandError

HANDLERS: dict[str, Handler] = {
    **client.HANDLERS,
    **configuration.HANDLERS,
    **connection.HANDLERS,
    **debug.HANDLERS,
    **diagnostics.HANDLERS,
    **info.HANDLERS,
    **introspection.HANDLERS,
    **keyspace.HANDLERS,
    **memory.HANDLERS,
    **scan.HANDLERS,
    **server.HANDLERS,
}

TOO_LARGE = "ERR value too large"
NO_AUTH = "NOAUTH Authentication required."
SHOWN_MAX = 128


class Rejected(CommandError):
    """A command that was not run. name: the command, if there is one of that name."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class Found(NamedTuple):
    """A command that may run."""

    command: Command
    handler: Handler


def find(args: Arguments, authenticated: bool, key_size_max: int) -> Found:
    """Return what answers a request.

    Args:
        args: of the request, the name first.
        authenticated: whether its client has said who it is.
        key_size_max: longer keys are refused.

    Raises:
        Rejected: with the error that the client gets.
    """
    command = _named(args)
    if not command.takes(len(args)):
        raise Rejected(f"ERR wrong number of arguments for '{command.name}' command", command.name)
    if not authenticated and "no_auth" not in command.flags:
        raise Rejected(NO_AUTH, command.name)
    if any(len(key) > key_size_max for key, _ in introspection.keys_of(command, args)):
        raise Rejected(TOO_LARGE, command.name)
    return Found(command, HANDLERS[command.name])


def _named(args: Arguments) -> Command:
    command = COMMANDS.get(text(args[0]).lower())
    if command is None:
        raise Rejected(_unknown(args))
    if command.subcommands and len(args) > 1:
        sub = command.subcommands.get(text(args[1]).lower())
        if sub is None:
            shown = _printable(args[1], SHOWN_MAX)
            raise Rejected(f"ERR unknown subcommand '{shown}'. Try {command.name.upper()} HELP.")
        return sub
    return command


def _printable(argument: bytes, size: int) -> str:
    """An argument as C prints it: up to a zero byte, at most size bytes."""
    return text(argument.split(b"\0", 1)[0][:size])


def _unknown(args: Arguments) -> str:
    shown = ""
    for argument in args[1:]:
        left = SHOWN_MAX - len(shown.encode("utf-8", "surrogateescape"))
        if left <= 0:
            break
        shown += f"'{_printable(argument, left)}' "
    name = _printable(args[0], SHOWN_MAX)
    return f"ERR unknown command '{name}', with args beginning with: {shown}"
