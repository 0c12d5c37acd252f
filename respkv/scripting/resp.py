"""The replies of this room's own commands, as RESP.

Errors are given as ``b"-CODE text"``, or as a text that is to have the code ERR, and take one line.
"""

from collections.abc import Iterable

OK = b"+OK\r\n"
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")


def error(text: bytes) -> bytes:
    """Write an error."""
    line = text.strip(b"\r\n").translate(_NEWLINES)
    return b"%s%s\r\n" % (b"" if line.startswith(b"-") else b"-ERR ", line)


def bulk(text: bytes) -> bytes:
    """Write a bulk string."""
    return b"$%d\r\n%s\r\n" % (len(text), text)


def status(text: bytes) -> bytes:
    """Write a simple string."""
    return b"+%s\r\n" % text


def integer(number: int) -> bytes:
    """Write an integer."""
    return b":%d\r\n" % number


def null(resp: int) -> bytes:
    """Write what stands for nothing."""
    return b"$-1\r\n" if resp == 2 else b"_\r\n"


def array(items: Iterable[bytes]) -> bytes:
    """Write an array of replies."""
    parts = list(items)
    return b"*%d\r\n%s" % (len(parts), b"".join(parts))


def mapping(pairs: Iterable[tuple[bytes, bytes]], resp: int) -> bytes:
    """Write a map from names to replies."""
    parts = [bulk(name) + value for name, value in pairs]
    return b"%s%d\r\n%s" % (
        b"*" if resp == 2 else b"%",
        len(parts) * (2 if resp == 2 else 1),
        b"".join(parts),
    )


def collection(items: Iterable[bytes], resp: int) -> bytes:
    """Write a set of replies."""
    text = array(items)
    return text if resp == 2 else b"~" + text[1:]


def help_lines(command: bytes, lines: Iterable[bytes]) -> bytes:
    """Write the answer to COMMAND HELP."""
    head = b"%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:" % command
    return array(status(line) for line in [head, *lines, b"HELP", b"    Prints this help."])
