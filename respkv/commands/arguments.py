"""Reading arguments the way Redis does, and the errors that most commands share."""

from __future__ import annotations

import re

from respkv.errors import CommandError

INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
UINT64_MAX = (1 << 64) - 1

SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NO_SUCH_KEY = "ERR no such key"
INVALID_DB = "ERR invalid DB index"
DB_RANGE = "ERR DB index is out of range"
NO_CLUSTER = "ERR This instance has cluster support disabled"


def text(argument: bytes) -> str:
    """Return an argument as text that encodes back to the same bytes."""
    return argument.decode("utf-8", "surrogateescape")


def integer(argument: bytes, error: str = NOT_AN_INTEGER) -> int:
    """Return a signed 64-bit integer.

    Raises:
        CommandError: with this error, when it is none.
    """
    if INTEGER.fullmatch(argument):
        number = int(argument)
        if INT64_MIN <= number <= INT64_MAX:
            return number
    raise CommandError(error)


def integer32(argument: bytes) -> int:
    """Return a signed 32-bit integer.

    Raises:
        CommandError: it is none.
    """
    number = integer(argument)
    if not INT32_MIN <= number <= INT32_MAX:
        raise CommandError(f"ERR value is out of range, value must between {INT32_MIN} and {INT32_MAX}")
    return number


def timeout_ms(argument: bytes) -> int:
    """Return a time-out in ms.

    Raises:
        CommandError: it is no integer, or negative.
    """
    number = integer(argument, "ERR timeout is not an integer or out of range")
    if number < 0:
        raise CommandError("ERR timeout is negative")
    return number


def integer_within(argument: bytes, low: int, high: int, error: str) -> int:
    """Return an integer within bounds.

    Raises:
        CommandError: NOT_AN_INTEGER's text when it is none, this error when it is out of bounds.
    """
    number = integer(argument)
    if not low <= number <= high:
        raise CommandError(error)
    return number


def unknown_subcommand(argument: bytes, container: str) -> CommandError:
    """The error for a subcommand that a container without entries in the table does not have."""
    shown = text(argument[:128])
    return CommandError(
        f"ERR unknown subcommand or wrong number of arguments for '{shown}'. Try {container} HELP."
    )
