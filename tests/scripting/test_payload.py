"""FUNCTION DUMP's bytes, and what is refused."""

import pytest

from respkv.scripting.payload import PayloadError, crc64, dump, expand_lzf, load


def sealed(body: bytes, version: int = 10) -> bytes:
    """A payload with this body."""
    body += version.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def test_the_checksum_is_redis_s() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert crc64(b"") == 0


@pytest.mark.parametrize(
    "codes",
    [[], [b""], [b"a"], [b"x" * 63, b"x" * 64], [b"y" * 16383, b"y" * 16384], [b"\xf5\x00" * 5, b"z"]],
)
def test_what_is_dumped_is_loaded(codes: list[bytes]) -> None:
    assert load(dump(codes)) == codes


def test_the_bytes_of_a_dump() -> None:
    assert dump([b"abc"])[:7] == b"\xf5\x03abc\x0a\x00"
    assert dump([b"a" * 64])[:3] == b"\xf5\x40\x40"
    assert dump([b"a" * 16384])[:6] == b"\xf5\x80\x00\x00\x40\x00"


@pytest.mark.parametrize(
    ("string", "value"),
    [
        (b"\xc0\x7f", b"127"),
        (b"\xc0\x80", b"-128"),
        (b"\xc1\x00\x80", b"-32768"),
        (b"\xc2\xff\xff\xff\x7f", b"2147483647"),
        (b"\x81" + (3).to_bytes(8, "big") + b"abc", b"abc"),
        (b"\xc3\x04\x03\x02abc", b"abc"),
        (b"\xc3\x05\x06\x00a\x60\x00"[:1] + b"\x04\x06\x00a\x60\x00", b"aaaaaa"),
    ],
)
def test_every_way_to_write_a_string_is_read(string: bytes, value: bytes) -> None:
    assert load(sealed(b"\xf5" + string)) == [value]


@pytest.mark.parametrize(
    ("packed", "plain"),
    [
        (b"\x02abc", b"abc"),
        (b"\x02abc\x20\x02", b"abcabc"),
        (b"\x00a\xe0\x05\x00", b"a" * 15),
        (b"\x1f" + bytes(range(32)) + b"\x20\x1f", bytes(range(32)) + b"\x00\x01\x02"),
        (b"", b""),
    ],
)
def test_lzf(packed: bytes, plain: bytes) -> None:
    assert expand_lzf(packed, len(plain)) == plain


@pytest.mark.parametrize(
    ("packed", "size"),
    [
        (b"\x02ab", 3),
        (b"\x20\x00", 3),
        (b"\x00a\x20", 4),
        (b"\x00a\xe0\x05", 15),
        (b"\x00a", 2),
        (b"\x01ab", 1),
    ],
)
def test_damaged_lzf(packed: bytes, size: int) -> None:
    with pytest.raises(PayloadError):
        expand_lzf(packed, size)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"", b"DUMP payload version or checksum are wrong"),
        (b"123456789", b"DUMP payload version or checksum are wrong"),
        (sealed(b"", 11), b"DUMP payload version or checksum are wrong"),
        (sealed(b"")[:-1] + b"\x00", b"DUMP payload version or checksum are wrong"),
        (sealed(b"\x00"), b"given type is not a function"),
        (sealed(b"\xf6\x01a"), b"Pre-GA function format not supported"),
        (sealed(b"\xf5"), b"Failed loading library payload"),
        (sealed(b"\xf5\x05ab"), b"Failed loading library payload"),
        (sealed(b"\xf5\xc5"), b"Failed loading library payload"),
        (sealed(b"\xf5\xc3\x01\x05\x00"), b"Failed loading library payload"),
        (sealed(b"\xf5\x01a\xf5"), b"Failed loading library payload"),
    ],
)
def test_damaged_payloads(payload: bytes, text: bytes) -> None:
    with pytest.raises(PayloadError) as raised:
        load(payload)
    assert raised.value.text == text


def test_no_bit_of_a_payload_may_change() -> None:
    payload = dump([b"some code of a library"])
    for index in range(len(payload) * 8):
        damaged = bytearray(payload)
        damaged[index // 8] ^= 1 << index % 8
        with pytest.raises(PayloadError):
            load(bytes(damaged))
