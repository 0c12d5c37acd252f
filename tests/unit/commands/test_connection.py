"""Who may come in, and what connections say of themselves."""

import pytest

from harness.wire import Fault
from respkv.commands.passwords import DELAY_MAX_S, FREE_FAILURES
from unit.fakes import FakeClient, FakeNode

WRONG = Fault("WRONGPASS invalid username-password pair or user is disabled.")


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def guarded() -> FakeNode:
    node = FakeNode()
    node.config.change([("requirepass", "secret")])
    node.clients.known[1] = FakeClient(1, authenticated=False)
    return node


def test_auth(guarded: FakeNode) -> None:
    assert guarded("DBSIZE") == Fault("NOAUTH Authentication required.")
    assert guarded("HELLO", 2).code == "NOAUTH"
    assert guarded("AUTH", "wrong") == WRONG
    assert guarded("AUTH", "nobody", "secret") == WRONG
    assert guarded("AUTH", "secret") == "OK"
    assert guarded("DBSIZE") == 0
    assert guarded("RESET") == "RESET"
    assert guarded("DBSIZE").code == "NOAUTH"
    assert guarded("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "me")[b"proto"] == 3
    assert guarded("CLIENT", "GETNAME") == b"me"


def test_guessing_gets_slower(guarded: FakeNode) -> None:
    for _ in range(20):
        assert guarded("AUTH", "guess") == WRONG
    assert guarded.slept[:4] == [0.1, 0.2, 0.4, 0.8]
    assert len(guarded.slept) == 20 - FREE_FAILURES
    assert guarded.slept[-1] == DELAY_MAX_S
    guarded.clients.known[2] = FakeClient(2, address="10.0.0.9:1", authenticated=False)
    before = len(guarded.slept)
    assert guarded("AUTH", "guess", client=2) == WRONG
    assert len(guarded.slept) == before
    assert guarded("AUTH", "secret") == "OK"
    assert guarded("AUTH", "guess") == WRONG
    assert len(guarded.slept) == before


def test_without_a_password(node: FakeNode) -> None:
    assert node("AUTH", "x").text.startswith("ERR AUTH <password> called without any password")
    assert node("AUTH", "default", "anything") == "OK"
    assert node("AUTH", "nobody", "x") == WRONG
    assert node("AUTH", "a", "b", "c") == Fault("ERR syntax error")


def test_hello(node: FakeNode) -> None:
    assert node("HELLO", 3)[b"proto"] == 3
    assert node.raw("CLIENT", "GETNAME") == b"_\r\n"
    assert node("HELLO")[b"proto"] == 3
    assert node("HELLO", 4).text == "NOPROTO unsupported protocol version"
    assert node("HELLO", 2, "WHAT") == Fault("ERR Syntax error in HELLO option 'WHAT'")


def test_client_list_and_info(node: FakeNode) -> None:
    node.clients.known[7] = FakeClient(7, address="10.0.0.1:5", name="seven", blocked=True, no_evict=True)
    lines = node("CLIENT", "LIST").decode().splitlines()
    assert [line.split()[0] for line in lines] == ["id=1", "id=7"]
    assert " name=seven " in lines[1] and " flags=be " in lines[1] and " cmd=NULL " in lines[1]
    assert " cmd=client|list " in lines[0]
    assert node("CLIENT", "LIST", "ID", 7, 99).decode().splitlines() == [lines[1]]
    assert node("CLIENT", "LIST", "TYPE", "pubsub") == b""
    assert node("CLIENT", "INFO").startswith(b"id=1 ")


def test_client_kill(node: FakeNode) -> None:
    for n in range(2, 6):
        node.clients.known[n] = FakeClient(n, address=f"10.0.0.{n}:5", user="default")
    assert node("CLIENT", "KILL", "10.0.0.2:5") == "OK"
    assert node("CLIENT", "KILL", "10.0.0.2:5") == Fault("ERR No such client")
    assert node("CLIENT", "KILL", "ID", 3, "ADDR", "10.0.0.4:5") == 0
    assert node("CLIENT", "KILL", "ID", 3) == 1
    assert node("CLIENT", "KILL", "TYPE", "normal", "USER", "default") == 2
    assert node.clients.closed == [2, 3, 4, 5]
    assert node("CLIENT", "KILL", "USER", "nobody") == Fault("ERR No such user 'nobody'")
    context = node.context()
    from respkv.commands.client import kill

    assert kill(context, [b"client", b"kill", b"type", b"normal", b"skipme", b"no"]) == 1
    assert context.close


def test_pauses_only_grow(node: FakeNode) -> None:
    now = node.clock.now_ms()
    assert node("CLIENT", "PAUSE", 1000, "WRITE") == "OK"
    assert node("CLIENT", "PAUSE", 500, "ALL") == "OK"
    assert node("CLIENT", "PAUSE", 2000, "WRITE") == "OK"
    assert node("CLIENT", "UNPAUSE") == "OK"
    assert node("CLIENT", "PAUSE", 100, "WRITE") == "OK"
    assert node.clients.pauses == [
        (now + 1000, True),
        (now + 1000, False),
        (now + 2000, False),
        (0, False),
        (now + 100, True),
    ]


def test_names(node: FakeNode) -> None:
    assert node("CLIENT", "SETNAME", "a b").code == "ERR"
    assert node("CLIENT", "SETNAME", "x" * 200).code == "ERR"
    assert node("CLIENT", "SETINFO", "LIB-NAME", "redis-py") == "OK"
    assert node("CLIENT", "SETINFO", "lib-ver", "5.1") == "OK"
    assert node("CLIENT", "SETINFO", "lib-colour", "red").code == "ERR"
    assert b" lib-name=redis-py lib-ver=5.1" in node("CLIENT", "INFO")
