"""DUMP and RESTORE of strings: payloads travel both ways between redis-server and us."""

import random

import pytest

from harness.process import Server

VALUES = [
    b"",
    b"a",
    b"0",
    b"-1",
    b"127",
    b"128",
    b"-32769",
    b"2147483647",
    b"-2147483648",
    b"2147483648",
    b"9223372036854775807",
    b"0123",
    b"+5",
    b" 5",
    b"\x00\xff\r\n",
    b"x" * 20,
    b"x" * 21,
    b"x" * 63,
    b"x" * 64,
    b"x" * 16383,
    b"x" * 16384,
    b"x" * 70_000,
    b"abc" * 5000,
    random.Random(7).randbytes(40),
    random.Random(8).randbytes(100_000),
    b"The quick brown fox jumps over the lazy dog. " * 40,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{v[:8]!r} x{len(v)}")
def test_payloads_travel_both_ways(value: bytes, peer: Server, ours: Server) -> None:
    with peer.wire() as redis, ours.wire() as us:
        redis("FLUSHALL")
        us("FLUSHALL")
        redis("SET", "theirs", value)
        us("SET", "mine", value)
        assert us("RESTORE", "theirs", 0, redis("DUMP", "theirs")) == "OK"
        assert redis("RESTORE", "mine", 0, us("DUMP", "mine")) == "OK"
        assert us("GET", "theirs") == redis("GET", "mine") == value


def test_restore_options(peer: Server, ours: Server) -> None:
    with peer.wire() as redis, ours.wire() as us:
        redis("FLUSHALL")
        us("FLUSHALL")
        redis("SET", "k", "value")
        payload = redis("DUMP", "k")
        redis("DEL", "k")
        for arguments in [
            ("RESTORE", "k", 100_000, payload),
            ("RESTORE", "k", 0, payload),
            ("RESTORE", "k", 0, payload, "REPLACE"),
            ("RESTORE", "k", 4_102_444_800_000, payload, "ABSTTL", "REPLACE"),
            ("PEXPIRETIME", "k"),
            ("RESTORE", "k", 1, payload, "ABSTTL", "REPLACE"),
            ("EXISTS", "k"),
            ("RESTORE", "k", 0, payload, "IDLETIME", 5),
            ("RESTORE", "k", 0, payload, "FREQ", 5, "REPLACE"),
            ("RESTORE", "k", 0, payload, "replace", "idletime", 1),
            ("RESTORE", "k", 0, payload[:-1], "REPLACE"),
            ("RESTORE", "k", 0, payload + b"x", "REPLACE"),
            ("RESTORE", "k", 0, b"\x00" + payload[1:-1] + b"\x00", "REPLACE"),
            ("GET", "k"),
        ]:
            assert us.raw(*arguments) == redis.raw(*arguments), arguments


def test_every_flipped_byte_of_a_payload_is_refused(ours: Server) -> None:
    with ours.wire() as us:
        us("FLUSHALL")
        us("SET", "k", "some value")
        payload = us("DUMP", "k")
        for at in range(len(payload)):
            broken = bytearray(payload)
            broken[at] ^= 0x41
            assert us.raw("RESTORE", "j", 0, bytes(broken)).startswith(b"-ERR"), at
        assert us("EXISTS", "j") == 0
