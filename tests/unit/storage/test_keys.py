"""Where keys lie: slots as Redis Cluster's, prefixes in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respkv.storage.keys import (
    ALL_KEYS,
    SLOTS,
    Kind,
    hashed_part,
    meta_key,
    prefix,
    prefix_end,
    slot_of,
    system_key,
)


def crc16_bitwise(data: bytes) -> int:
    """CRC-16/XMODEM, a bit at a time."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = crc << 1 ^ (0x1021 if crc & 0x8000 else 0)
            crc &= 0xFFFF
    return crc


# The last three are redis-server's own answers to CLUSTER KEYSLOT.
@pytest.mark.parametrize(
    ("key", "slot"),
    [(b"", 0), (b"123456789", 0x31C3), (b"foo", 12182), (b"{user1000}.following", 3443), (b"bar", 5061)],
)
def test_known_slots(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


@pytest.mark.parametrize(
    ("key", "part"),
    [
        (b"plain", b"plain"),
        (b"{tag}x", b"tag"),
        (b"x{tag}", b"tag"),
        (b"{}x", b"{}x"),
        (b"{}{tag}", b"{}{tag}"),
        (b"{a}{b}", b"a"),
        (b"{{a}}", b"{a"),
        (b"{open", b"{open"),
        (b"close}{a}", b"a"),
    ],
)
def test_hash_tags(key: bytes, part: bytes) -> None:
    assert hashed_part(key) == part


@given(st.binary(max_size=100))
def test_slots_are_crc16(key: bytes) -> None:
    assert slot_of(key) == crc16_bitwise(hashed_part(key)) % SLOTS


@given(st.binary(max_size=20), st.integers(0, 255))
def test_a_key_lies_between_the_bounds(key: bytes, db: int) -> None:
    internal = meta_key(db, key)
    assert internal.endswith(key)
    assert internal[:4] == prefix(slot_of(key), Kind.META, db)
    assert ALL_KEYS[0] <= internal < ALL_KEYS[1] <= system_key(b"x")


@given(st.binary(max_size=6), st.binary(max_size=4), st.binary(max_size=6))
def test_prefix_end(start: bytes, tail: bytes, other: bytes) -> None:
    end = prefix_end(start)
    assert not end or start + tail < end
    if end and other >= end:
        assert not other.startswith(start)
    if not end:
        assert not start.strip(b"\xff")
