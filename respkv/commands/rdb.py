"""DUMP's payload of a string, as Redis writes it into RDB files; the reading side takes all that Redis may
have written.

    payload := type:u8 string version:le16 crc64:le64          type 0 is a string; the CRC covers all before
    it
    string  := length bytes | 0xC0 int8 | 0xC1 le16 | 0xC2 le32 | 0xC3 length(packed) length(unpacked) LZF
    bytes
    length  := 00xxxxxx | 01xxxxxx xxxxxxxx | 0x80 be32 | 0x81 be64

LZF (Lehmann): a control byte below 32 is followed by that many bytes and one as they are; else it says length
and distance of an earlier piece.

Writing never compresses: what it costs to send is less than what it costs to pack.
"""

from __future__ import annotations

import struct

from respkv.storage.checksum import crc64

TYPE_STRING = 0
VERSION = 10
VERSION_MAX = 12
"""Up to here strings look the same."""
FOOTER_SIZE = 10
INTEGERS = ((0xC0, "<b", 1 << 7), (0xC1, "<h", 1 << 15), (0xC2, "<i", 1 << 31))
LZF = 0xC3
UNPACKED_SIZE_MAX = 512 << 20


class BadPayload(ValueError):
    """The version or the checksum of a payload is wrong: it is not a payload, or of a newer server."""


class BadFormat(ValueError):
    """The checksum is right, but this is nothing that we can read."""


def dump(value: bytes) -> bytes:
    """Return the payload of a string."""
    body = bytes((TYPE_STRING,)) + _encode(value) + VERSION.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def _encode(value: bytes) -> bytes:
    if len(value) <= 11:
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is not None and b"%d" % number == value:
            for code, layout, limit in INTEGERS:
                if -limit <= number < limit:
                    return bytes((code,)) + struct.pack(layout, number)
    return _length(len(value)) + value


def _length(size: int) -> bytes:
    if size < 1 << 6:
        return bytes((size,))
    if size < 1 << 14:
        return (size | 0x4000).to_bytes(2, "big")
    return b"\x80" + size.to_bytes(4, "big")


def restore(payload: bytes) -> bytes:
    """Return the string in a payload.

    Raises:
        BadPayload: version or checksum.
        BadFormat: another type than a string, or damaged within.
    """
    if len(payload) < FOOTER_SIZE:
        raise BadPayload
    body, footer = payload[:-FOOTER_SIZE], payload[-FOOTER_SIZE:]
    if int.from_bytes(footer[:2], "little") > VERSION_MAX:
        raise BadPayload
    if crc64(payload[:-8]) != int.from_bytes(footer[2:], "little"):
        raise BadPayload
    if not body or body[0] != TYPE_STRING:
        raise BadFormat
    try:
        value, end = _decode(body, 1)
    except (IndexError, struct.error):
        raise BadFormat from None
    if end != len(body):
        raise BadFormat
    return value


def _decode(body: bytes, at: int) -> tuple[bytes, int]:
    first = body[at]
    for code, layout, _ in INTEGERS:
        if first == code:
            (number,) = struct.unpack_from(layout, body, at + 1)
            return b"%d" % number, at + 1 + struct.calcsize(layout)
    if first == LZF:
        packed, at = _read_length(body, at + 1)
        unpacked, at = _read_length(body, at)
        if at + packed > len(body) or unpacked > UNPACKED_SIZE_MAX:
            raise BadFormat
        return unpack_lzf(body[at : at + packed], unpacked), at + packed
    size, at = _read_length(body, at)
    if at + size > len(body):
        raise BadFormat
    return body[at : at + size], at + size


def _read_length(body: bytes, at: int) -> tuple[int, int]:
    first = body[at]
    if first < 0x40:
        return first, at + 1
    if first < 0x80:
        return (first & 0x3F) << 8 | body[at + 1], at + 2
    if first in (0x80, 0x81):
        size = 4 if first == 0x80 else 8
        if at + 1 + size > len(body):
            raise BadFormat
        return int.from_bytes(body[at + 1 : at + 1 + size], "big"), at + 1 + size
    raise BadFormat


def unpack_lzf(packed: bytes, size: int) -> bytes:
    """Return the size bytes that were packed.

    Raises:
        BadFormat: they are not that many, or a piece refers to before the beginning.
        IndexError: the packed bytes end early.
    """
    out = bytearray()
    at = 0
    while at < len(packed):
        control = packed[at]
        at += 1
        if control < 32:
            end = at + control + 1
            if end > len(packed):
                raise BadFormat
            out += packed[at:end]
            at = end
        else:
            length = control >> 5
            if length == 7:
                length += packed[at]
                at += 1
            distance = ((control & 0x1F) << 8 | packed[at]) + 1
            at += 1
            _repeat(out, distance, length + 2)
        if len(out) > size:
            raise BadFormat
    if len(out) != size:
        raise BadFormat
    return bytes(out)


def _repeat(out: bytearray, distance: int, length: int) -> None:
    """Append a piece that begins distance bytes back and may reach into itself."""
    start = len(out) - distance
    if start < 0:
        raise BadFormat
    piece = bytes(out[start : start + length])
    out += (piece * (length // len(piece) + 1))[:length]
