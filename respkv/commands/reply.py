"""Replies as values, and their bytes in RESP2 and RESP3.

    value            RESP2                        RESP3
    None             $-1                          _
    bytes, str       $ bulk                       $ bulk
    int              :                            :
    bool             :1 or :0                     #t or #f
    float            $ bulk                       ,
    list, tuple      *                            *
    dict             * keys and values in turn    %
    Members          *                            ~ (a set; order is kept)
    Verbatim         $ bulk                       = with "txt"
    Status           +                            +
    Failure          -                            -
    NULL_ARRAY       *-1                          _
    NO_REPLY         nothing                      nothing
    Encoded          its bytes

Pure; cost is the size of the reply.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Reply = object
"""Any of the values above. Containers hold Replies."""


@dataclass(frozen=True)
class Status:
    """A simple string."""

    text: str


@dataclass(frozen=True)
class Failure:
    """An error within a larger reply; a command that fails raises CommandError."""

    text: str


@dataclass(frozen=True)
class Verbatim:
    """Text that is meant to be shown as it is."""

    text: str


@dataclass(frozen=True)
class Members:
    """A set, in the order given."""

    items: list[object]


@dataclass(frozen=True)
class Encoded:
    """Bytes that are a reply already."""

    data: bytes


class _Marker:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


OK: Final = Status("OK")
NULL_ARRAY: Final = _Marker("NULL_ARRAY")
NO_REPLY: Final = _Marker("NO_REPLY")
ENCODING = ("utf-8", "surrogateescape")


def encode(value: Reply, resp: int) -> bytes:
    """Return the bytes of a reply.

    Args:
        value: see above.
        resp: 2 or 3.

    Raises:
        TypeError: it is no reply.
    """
    out: list[bytes] = []
    _put(out, value, resp)
    return b"".join(out)


def failure(text: str) -> bytes:
    """Return the bytes of an error reply, in one line whatever the text."""
    return b"-%s\r\n" % text.replace("\r", " ").replace("\n", " ").encode(*ENCODING)


def bulk(data: bytes) -> bytes:
    """Return the bytes of a bulk string."""
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array_header(count: int) -> bytes:
    """Return what stands before the count replies of an array."""
    return b"*%d\r\n" % count


def double(value: float) -> bytes:
    """Return a number as Redis prints doubles: 17 digits at most, inf, nan."""
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    if math.isnan(value):
        return b"nan"
    return b"%.17g" % value


def _put(out: list[bytes], value: Reply, resp: int) -> None:
    if value is None:
        out.append(b"$-1\r\n" if resp == 2 else b"_\r\n")
    elif isinstance(value, bytes):
        out.append(b"$%d\r\n%s\r\n" % (len(value), value))
    elif isinstance(value, str):
        _put(out, value.encode(*ENCODING), resp)
    elif isinstance(value, bool):
        out.append((b":1\r\n" if value else b":0\r\n") if resp == 2 else (b"#t\r\n" if value else b"#f\r\n"))
    elif isinstance(value, int):
        out.append(b":%d\r\n" % value)
    elif isinstance(value, float):
        out.append(bulk(double(value)) if resp == 2 else b",%s\r\n" % double(value))
    elif isinstance(value, (list, tuple)):
        _put_all(out, b"*%d\r\n" % len(value), value, resp)
    elif isinstance(value, dict):
        header = b"*%d\r\n" % (2 * len(value)) if resp == 2 else b"%%%d\r\n" % len(value)
        _put_all(out, header, (part for item in value.items() for part in item), resp)
    else:
        _put_marked(out, value, resp)


def _put_all(out: list[bytes], header: bytes, values: Iterable[Reply], resp: int) -> None:
    out.append(header)
    for value in values:
        _put(out, value, resp)


def _put_marked(out: list[bytes], value: Reply, resp: int) -> None:
    if isinstance(value, Status):
        out.append(b"+%s\r\n" % value.text.encode(*ENCODING))
    elif isinstance(value, Failure):
        out.append(failure(value.text))
    elif isinstance(value, Encoded):
        out.append(value.data)
    elif isinstance(value, Members):
        _put_all(out, b"%s%d\r\n" % (b"*" if resp == 2 else b"~", len(value.items)), value.items, resp)
    elif isinstance(value, Verbatim):
        data = value.text.encode(*ENCODING)
        out.append(bulk(data) if resp == 2 else b"=%d\r\ntxt:%s\r\n" % (len(data) + 4, data))
    elif value is NULL_ARRAY:
        out.append(b"*-1\r\n" if resp == 2 else b"_\r\n")
    elif value is not NO_REPLY:
        raise TypeError(f"not a reply: {value!r}")
