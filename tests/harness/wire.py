"""A Redis client that hides nothing: bytes out, the reply's own bytes back.

It knows of RESP only where a reply ends (RESP2 and RESP3), so that two servers can be compared byte by byte;
`decode` makes values of a reply for tests that want those.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

Argument = bytes | str | int

AGGREGATES = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
BULKS = b"$=!"


@dataclass(frozen=True)
class Fault:
    """An error reply, as a value."""

    text: str

    @property
    def code(self) -> str:
        """The first word: ERR, WRONGTYPE..."""
        return self.text.split(" ", 1)[0]


def encode(*arguments: Argument) -> bytes:
    """One command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class Closed(ConnectionError):
    """The server closed the connection. rest: what it had sent of an unfinished reply."""

    def __init__(self, rest: bytes = b"") -> None:
        super().__init__(f"closed by the server, after {rest!r}")
        self.rest = rest


class Wire:
    """One connection. Every wait ends after timeout_s."""

    def __init__(self, port: int, *, resp: int = 2, timeout_s: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        if resp == 3:
            self("HELLO", 3)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close without a word."""
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def raw(self, *arguments: Argument) -> bytes:
        """Run one command; the bytes of its reply."""
        self.send(encode(*arguments))
        return self.reply()

    def raw_many(self, commands: Iterable[tuple[Argument, ...]]) -> list[bytes]:
        """Run commands as one pipeline."""
        commands = list(commands)
        self.send(b"".join(encode(*c) for c in commands))
        return [self.reply() for _ in commands]

    def __call__(self, *arguments: Argument) -> Any:
        """Run one command; its reply as a value, a Fault for an error."""
        return decode(self.raw(*arguments))

    def reply(self) -> bytes:
        """The bytes of the next reply.

        Raises:
            Closed: the server closed the connection first.
            TimeoutError: nothing came in time.
        """
        line = self._take_line()
        kind = line[:1]
        if kind in AGGREGATES:
            parts = [line]
            parts += [self.reply() for _ in range(max(int(line[1:]), 0) * AGGREGATES[kind])]
            if kind == b"|":
                parts.append(self.reply())
            return b"".join(parts)
        if kind in BULKS and (size := int(line[1:])) >= 0:
            body: bytes = self.file.read(size + 2)
            if len(body) < size + 2:
                raise Closed(line + body)
            return line + body
        return line

    def _take_line(self) -> bytes:
        try:
            line: bytes = self.file.readline()
        except ConnectionResetError:
            raise Closed from None
        if not line.endswith(b"\r\n"):
            raise Closed(line)
        return line

    def rest(self) -> bytes:
        """Everything until the server closes; for tests that expect it to."""
        parts = []
        try:
            while part := self.file.read1(1 << 16):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)


def decode(reply: bytes) -> Any:
    """The value of a reply: int, bytes, str, None, bool, float, list, set, dict or Fault."""
    value, end = _decode(reply, 0)
    if end != len(reply):
        raise ValueError(f"bytes after the reply: {reply[end:]!r}")
    return value


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    end = data.index(b"\r\n", at)
    kind, text, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind in AGGREGATES:
        if text == b"-1":
            return None, at
        items = []
        for _ in range(int(text) * AGGREGATES[kind]):
            item, at = _decode(data, at)
            items.append(item)
        if kind == b"%":
            return dict(zip(map(_hashable, items[::2]), items[1::2], strict=True)), at
        return (set(map(_hashable, items)) if kind == b"~" else items), at
    if kind in BULKS:
        if text == b"-1":
            return None, at
        size = int(text)
        body = data[at : at + size]
        at += size + 2
        return (Fault(body.decode()) if kind == b"!" else body[4:] if kind == b"=" else body), at
    scalars: dict[bytes, Any] = {
        b"+": lambda: text.decode(),
        b"-": lambda: Fault(text.decode()),
        b":": lambda: int(text),
        b"(": lambda: int(text),
        b",": lambda: float(text),
        b"#": lambda: text == b"t",
        b"_": lambda: None,
    }
    return scalars[kind](), at


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
