"""DUMP payloads: Redis's own bytes, damage, and LZF against a packer of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respkv.commands.rdb import BadFormat, BadPayload, dump, restore, unpack_lzf
from respkv.storage.checksum import crc64

# What redis-server 7.0.15 answers to DUMP.
REDIS = [
    (b"10", b"\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb"),
    (b"abc", b"\x00\x03abc\n\x00\xd9\xac0=Ar\xa2\xe2"),
]


def with_footer(body: bytes, version: int = 10) -> bytes:
    covered = body + version.to_bytes(2, "little")
    return covered + crc64(covered).to_bytes(8, "little")


def test_crc64_check_value() -> None:
    """The value that Redis's source gives for its CRC of "123456789"."""
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


@given(st.binary(max_size=100))
def test_crc64_is_a_division_bit_by_bit(data: bytes) -> None:
    polynomial = int(f"{0xAD93D23594C935A9:064b}"[::-1], 2)
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    assert crc64(data) == crc


@pytest.mark.parametrize(("value", "payload"), REDIS)
def test_redis_payloads(value: bytes, payload: bytes) -> None:
    assert dump(value) == payload
    assert restore(payload) == value


@given(st.one_of(st.binary(max_size=300), st.integers(-(2**40), 2**40).map(lambda n: b"%d" % n)))
def test_round_trip(value: bytes) -> None:
    assert restore(dump(value)) == value


@pytest.mark.parametrize("size", [63, 64, 16383, 16384, 70_000])
def test_lengths(size: int) -> None:
    assert restore(dump(b"x" * size)) == b"x" * size


@given(st.binary(max_size=100), st.data())
def test_damage_is_seen(value: bytes, data: st.DataObject) -> None:
    payload = bytearray(dump(value))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((BadPayload, BadFormat)):
        restore(bytes(payload))


@given(st.binary(max_size=40))
def test_any_bytes_under_a_right_checksum(body: bytes) -> None:
    try:
        value = restore(with_footer(body))
    except (BadFormat, BadPayload):
        return
    assert body[:1] == b"\0"
    assert isinstance(value, bytes)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01\x00",
        b"\x00",
        b"\x00\x05abc",
        b"\x00\x03abcd",
        b"\x00\xc4\x00",
        b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\xc3\x03\x81\xff\xff\xff\xff\xff\xff\xff\xff\x20\x00\x00",
        b"\x00\xc3\x03\x09\x20\x00\x00",
        b"\x00\xc2\x00",
        b"\x00\xc0",
    ],
)
def test_bad_formats(body: bytes) -> None:
    with pytest.raises(BadFormat):
        restore(with_footer(body))


def test_versions() -> None:
    assert restore(with_footer(b"\x00\x01a", 6)) == b"a"
    assert restore(with_footer(b"\x00\x01a", 12)) == b"a"
    with pytest.raises(BadPayload):
        restore(with_footer(b"\x00\x01a", 13))
    with pytest.raises(BadPayload):
        restore(b"short")


def pack(value: bytes) -> bytes:
    """A plain LZF packer: the longest earlier piece wins."""
    out, run, at = bytearray(), bytearray(), 0

    def flush() -> None:
        while run:
            piece = bytes(run[:32])
            del run[:32]
            out.append(len(piece) - 1)
            out.extend(piece)

    while at < len(value):
        best, distance = 0, 0
        for back in range(1, min(at, 8192) + 1):
            length = 0
            while (
                length < 264 and at + length < len(value) and value[at + length] == value[at - back + length]
            ):
                length += 1
            if length > best:
                best, distance = length, back
        if best < 3:
            run.append(value[at])
            at += 1
            continue
        flush()
        length = best - 2
        high = (distance - 1) >> 8
        out.append(min(length, 7) << 5 | high)
        if length >= 7:
            out.append(length - 7)
        out.append((distance - 1) & 0xFF)
        at += best
    flush()
    return bytes(out)


@given(st.lists(st.sampled_from([b"a", b"ab", b"abcabc", b"x" * 40, b"\x00"]), max_size=40).map(b"".join))
def test_lzf(value: bytes) -> None:
    packed = pack(value)
    assert unpack_lzf(packed, len(value)) == value
    body = b"\x00\xc3" + length(len(packed)) + length(len(value)) + packed
    assert restore(with_footer(body)) == value
    with pytest.raises(BadFormat):
        unpack_lzf(packed, len(value) + 1)


def length(size: int) -> bytes:
    return bytes((size,)) if size < 64 else (size | 0x4000).to_bytes(2, "big")
