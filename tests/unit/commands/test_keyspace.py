"""Keys moved and copied, databases exchanged and emptied, on a model of the store."""

import pytest

from harness.wire import Fault
from respkv.commands.keyspace import encoding_of
from unit.fakes import FakeNode


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


def test_rename(node: FakeNode) -> None:
    later = node.clock.now_ms() + 5000
    node.set(b"a", b"1", expires_at_ms=later)
    node.set(b"b", b"2")
    assert node("RENAME", "a", "b") == "OK"
    assert node.get(b"a") is None
    assert node.get(b"b") == b"1"
    assert node("RENAME", "a", "b") == Fault("ERR no such key")
    assert node("RENAME", "b", "b") == "OK"
    assert node("RENAMENX", "b", "b") == 0
    node.clock.advance(5000)
    assert node.get(b"b") is None
    assert node("RENAME", "b", "c") == Fault("ERR no such key")


def test_renamenx(node: FakeNode) -> None:
    node.set(b"a", b"1")
    node.set(b"b", b"2")
    assert node("RENAMENX", "a", "b") == 0
    assert node("RENAMENX", "a", "c") == 1
    assert (node.get(b"a"), node.get(b"b"), node.get(b"c")) == (None, b"2", b"1")


def test_copy_and_move(node: FakeNode) -> None:
    node.set(b"a", b"1", expires_at_ms=node.clock.now_ms() + 5000)
    assert node("COPY", "a", "b") == 1
    assert node("COPY", "a", "b") == 0
    assert node("COPY", "a", "a", "DB", 3) == 1
    assert node("COPY", "a", "a") == Fault("ERR source and destination objects are the same")
    assert node("MOVE", "a", 3) == 0
    assert node("MOVE", "b", 3) == 1
    assert node("MOVE", "b", 0) == Fault("ERR source and destination objects are the same")
    assert node("COPY", "a", "b", "REPLACE", "db", 3) == 1
    assert node.get(b"b") is None
    assert node.get(b"b", db=3) == b"1"
    node.clock.advance(5000)
    assert node.get(b"b", db=3) is None


def test_flush_and_swap_tell_the_connections(node: FakeNode) -> None:
    node.set(b"a", b"0")
    node.set(b"a", b"1", db=1)
    assert node("SWAPDB", 0, 1) == "OK"
    assert node.clients.mapping[:2] == b"\x01\x00"
    assert node("FLUSHDB") == "OK"
    assert node.drops == 1
    assert node.clients.mapping[:2] == b"\x10\x00"
    assert (node.get(b"a"), node.get(b"a", db=1)) == (None, b"0")
    assert node("FLUSHALL", "ASYNC") == "OK"
    assert node.clients.mapping == bytes(range(16))
    assert node.get(b"a", db=1) is None
    for bad in (("FLUSHALL", "x"), ("FLUSHDB", "sync", "async")):
        assert node(*bad) == Fault("ERR syntax error")


def test_a_write_is_waited_for(node: FakeNode) -> None:
    from respkv.commands import keyspace
    from unit.fakes import finished

    node.set(b"a", b"1")
    context = node.context()
    finished(keyspace.rename(context, [b"rename", b"a", b"b"]))
    assert context.wait_seq == node.engine.last_seq()


def test_dump_restore(node: FakeNode) -> None:
    node.set(b"a", b"value")
    payload = node("DUMP", "a")
    assert node("RESTORE", "a", 0, payload) == Fault("BUSYKEY Target key name already exists.")
    assert node("RESTORE", "b", 1000, payload, "idletime", 5) == "OK"
    assert node.get(b"b") == b"value"
    node.clock.advance(1000)
    assert node.get(b"b") is None
    assert node("RESTORE", "a", 1, payload, "ABSTTL", "REPLACE") == "OK"
    assert node.get(b"a") is None
    assert node("RESTORE", "c", 0, payload[:-1]) == Fault("ERR DUMP payload version or checksum are wrong")
    assert node("RESTORE", "c", 0, payload, "FREQ", 1, "IDLETIME", 1) == Fault("ERR syntax error")
    assert node("DUMP", "c") is None


def test_a_restored_value_may_be_too_large(node: FakeNode) -> None:
    node.set(b"a", b"value")
    payload = node("DUMP", "a")
    node.config.change([("value-max-len", "4")])
    assert node("RESTORE", "b", 0, payload) == Fault("ERR value too large")


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (b"0", "int"),
        (b"-5", "int"),
        (b"9223372036854775807", "int"),
        (b"9223372036854775808", "embstr"),
        (b"01", "embstr"),
        (b"", "embstr"),
        (b"x" * 44, "embstr"),
        (b"x" * 45, "raw"),
    ],
)
def test_encodings(value: bytes, encoding: str) -> None:
    assert encoding_of(value) == encoding


def test_object(node: FakeNode) -> None:
    node.set(b"n", b"77")
    node.set(b"s", b"text")
    node.clock.advance(12_345)
    assert node("OBJECT", "REFCOUNT", "n") == 2**31 - 1
    assert node("OBJECT", "REFCOUNT", "s") == 1
    assert node("OBJECT", "IDLETIME", "s") == 12
    assert node("OBJECT", "FREQ", "s").code == "ERR"
    assert node("OBJECT", "FREQ", "missing") is None
