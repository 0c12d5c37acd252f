"""Batches: written here, read here, and as the C core's grammar says byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respkv.storage.batch import BatchEntry, BatchWriter, read_batch, varint

KEYS = st.binary(max_size=300)


def test_bytes_are_those_of_the_grammar() -> None:
    batch = BatchWriter(0x0102030405060708, 9)
    batch.put(b"k", b"v")
    batch.put(b"e", b"w", 0x0A)
    batch.delete(b"d")
    batch.delete_range(b"a", b"b")
    assert batch.encode() == (
        b"\x08\x07\x06\x05\x04\x03\x02\x01" + b"\x09\0\0\0" + b"\x04\0\0\0"
        b"\x00\x00\x01k\x01v"
        b"\x04\x00\x0a\0\0\0\0\0\0\0\x01e\x01w"
        b"\x01\x00\x01d"
        b"\x08\x00\x01a\x01b"
    )


@pytest.mark.parametrize(
    ("number", "encoded"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")]
)
def test_varint(number: int, encoded: bytes) -> None:
    assert varint(number) == encoded


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(KEYS, KEYS, st.integers(0, 2**63), st.sampled_from(["put", "delete", "range"]))),
)
def test_what_is_written_is_read(hlc: int, node: int, changes: list[tuple[bytes, bytes, int, str]]) -> None:
    batch = BatchWriter(hlc, node)
    expected = []
    for key, value, expires, what in changes:
        if what == "put":
            batch.put(key, value, expires)
            expected.append(BatchEntry(key, value, hlc, node, expires))
        elif what == "delete":
            batch.delete(key)
            expected.append(BatchEntry(key, b"", hlc, node, tombstone=True))
        else:
            batch.delete_range(key, value)
            expected.append(BatchEntry(key, value, hlc, node, is_range=True))
    assert list(read_batch(batch.encode())) == expected


def test_damage_is_seen() -> None:
    batch = BatchWriter(1, 1)
    batch.put(b"key", b"value")
    data = batch.encode()
    with pytest.raises(ValueError, match="after the last"):
        list(read_batch(data + b"x"))
    with pytest.raises(ValueError, match="cut short"):
        list(read_batch(data[:-1]))
