"""Commit batches as bytes; the grammar is native/src/lsm/batch.h's, the checked reader of outside bytes is
C's.

    batch   := base_hlc:fixed64 node:fixed32 count:fixed32 entry*
    entry   := kind:u8 delta:varint64 [expires_at_ms:fixed64 if kind & EXPIRES] key_size:varint32 key
               [value_size:varint32 value  unless kind & TOMBSTONE]

Fixed integers are little-endian, varints are LEB128. An entry's version is (base_hlc + delta, node). A RANGE
entry deletes the cells of [key, value) below its own version; an empty value is the end of the key space.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

TOMBSTONE, EXPIRES, RANGE = 1, 4, 8
HEADER = struct.Struct("<QII")
FIXED64 = struct.Struct("<Q")


class BatchEntry(NamedTuple):
    """One entry. is_range: key and value are the bounds of a range deletion."""

    key: bytes
    value: bytes
    hlc: int
    node: int
    expires_at_ms: int = 0
    tombstone: bool = False
    is_range: bool = False


def varint(number: int) -> bytes:
    """Encode a number that is not negative."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class BatchWriter:
    """Collects changes, all at one version."""

    def __init__(self, base_hlc: int, node: int) -> None:
        self.base_hlc = base_hlc
        self.node = node
        self.count = 0
        self._parts: list[bytes] = []

    def put(self, key: bytes, value: bytes, expires_at_ms: int = 0) -> None:
        """Set an internal key; expires_at_ms 0: never expires."""
        if expires_at_ms:
            self._entry(EXPIRES, key, FIXED64.pack(expires_at_ms))
        else:
            self._entry(0, key)
        self._parts += (varint(len(value)), value)

    def delete(self, key: bytes) -> None:
        """Put a tombstone."""
        self._entry(TOMBSTONE, key)

    def delete_range(self, lower: bytes, upper: bytes) -> None:
        """Delete what lies in [lower, upper) and is older than this batch."""
        self.count += 1
        self._parts += (bytes((RANGE, 0)), varint(len(lower)), lower, varint(len(upper)), upper)

    def _entry(self, kind: int, key: bytes, expires: bytes = b"") -> None:
        self.count += 1
        self._parts += (bytes((kind, 0)), expires, varint(len(key)), key)

    def encode(self) -> bytes:
        """Return the batch."""
        return HEADER.pack(self.base_hlc, self.node, self.count) + b"".join(self._parts)


def read_batch(data: bytes) -> Iterator[BatchEntry]:
    """Yield the entries of a batch that this package wrote."""
    base, node, count = HEADER.unpack_from(data)
    at = HEADER.size
    for _ in range(count):
        kind = data[at]
        delta, at = _varint(data, at + 1)
        expires = 0
        if kind & EXPIRES:
            (expires,) = FIXED64.unpack_from(data, at)
            at += FIXED64.size
        key, at = _bytes(data, at)
        value = b""
        if not kind & TOMBSTONE:
            value, at = _bytes(data, at)
        yield BatchEntry(key, value, base + delta, node, expires, bool(kind & TOMBSTONE), bool(kind & RANGE))
    if at != len(data):
        raise ValueError("bytes after the last entry")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _varint(data, at)
    if at + size > len(data):
        raise ValueError("an entry is cut short")
    return data[at : at + size], at + size
