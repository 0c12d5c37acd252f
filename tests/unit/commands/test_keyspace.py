"""Values packed and looked at, databases exchanged and emptied, on a model of the store."""

import pytest

from harness.wire import Fault
from respkv.commands import keyspace
from respkv.commands.keyspace import encoding_of
from respkv.commands.reply import OK
from unit.fakes import FakeNode


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


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
    context = node.context()
    assert keyspace.swapdb(context, [b"swapdb", b"0", b"1"]) == OK
    assert context.wait_seq == node.engine.last_seq() == 1


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
