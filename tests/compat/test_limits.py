"""Protocol limits and malformed input: each limit one below, at, and one above, before and after AUTH."""

import contextlib
import random
import re
from collections.abc import Callable

import pytest

from harness.process import Server
from harness.wire import Closed, Wire, encode

KIB, MIB = 1024, 1024 * 1024
SECRET = "correct horse"


def ping_works(wire: Wire) -> bool:
    """Is the connection still of use?"""
    return wire.raw("PING") == b"+PONG\r\n"


def refused(wire: Wire, pattern: str) -> None:
    """The server answers with an error of this text and closes."""
    reply = wire.reply()
    assert re.fullmatch(rb"-ERR Protocol error: " + pattern.encode() + rb"\r\n", reply), reply
    assert wire.rest() == b""


@pytest.fixture
def guarded(new_server: Callable[..., Server]) -> Server:
    """A server with a password."""
    return new_server("--requirepass", SECRET)


# ---- malformed requests, as redis-server takes them ------------------------------------------------------

MALFORMED = [
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-2\r\n",
    b"*1\r\n$+4\r\nPING\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$ 4\r\nPING\r\n",
    b"*1\r\n$4 \r\nPING\r\n",
    b"*1\r\n$\r\nPING\r\n",
    b"*1\r\n$4x\r\nPING\r\n",
    b"*1\r\n$1e3\r\n",
    b"*1\r\n$9223372036854775807\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*1\r\n$18446744073709551616\r\n",
    b"*1\r\n$99999999999999999999999\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n:4\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\nPING\r\n",
    b"*1\r\n\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"*01\r\n$4\r\nPING\r\n",
    b"* 1\r\n$4\r\nPING\r\n",
    b"*1x\r\n$4\r\nPING\r\n",
    b"*1.0\r\n",
    b"*1e3\r\n",
    b"*-\r\n",
    b"*2147483648\r\n",
    b"*4294967295\r\n",
    b"*9223372036854775808\r\n",
    b"*99999999999999999999999\r\n",
    b"*2\r\n$4\r\nECHO\r\n$x\r\n",
    b'SET k "unbalanced\r\n',
    b"SET k 'unbalanced\r\n",
    b'SET k "a"b\r\n',
    b"GET 'a'b\r\n",
]

TOLERATED = [
    b"*0\r\n*1\r\n$4\r\nPING\r\n",
    b"*-1\r\n*1\r\n$4\r\nPING\r\n",
    b"*-10\r\n*1\r\n$4\r\nPING\r\n",
    b"\r\n*1\r\n$4\r\nPING\r\n",
    b"\r\n\r\n  \r\nPING\r\n",
    b"PING\n",
    b"PING\r\n",
    b"  PING  \r\n",
    b"\tPING\t\r\n",
    b"ping hello\r\n",
    b'PING "a b\\x41\\n\\"q"\r\n',
    b"PING 'single \\' \\n quoted'\r\n",
    b'PING ""\r\n',
    b"PING ''\r\n",
    b"SET inline value\r\nGET inline\r\nDEL inline\r\n",
    b"*2\r\n$4\r\nPING\r\n$0\r\n\r\n",
    b"*2\r\n$4\r\nPING\r\n$3\r\na\r\n\r\n",
    b"PING\r\n*1\r\n$4\r\nPING\r\nPING\n",
    b"+PING\r\n",
    b"$4\r\nPING\r\n",
    b":1\r\n",
    b"-ERR\r\n",
    b"*0\r\n",
]


def send_in_pieces(wire: Wire, sent: bytes, pieces: int) -> None:
    """Send until all is sent or the server does not want more."""
    step = max(1, -(-len(sent) // pieces))
    with contextlib.suppress(ConnectionError):
        for at in range(0, len(sent), step):
            wire.send(sent[at : at + step])


def answer_and_close(server: Server, sent: bytes, pieces: int) -> bytes:
    """What comes back until the server closes."""
    with server.wire() as wire:
        send_in_pieces(wire, sent, pieces)
        return wire.rest()


def answer_and_go_on(server: Server, sent: bytes, pieces: int) -> bytes:
    """What comes back until a marker that is sent after it."""
    with server.wire() as wire:
        send_in_pieces(wire, sent, pieces)
        wire.send(encode("ECHO", "marker-at-the-end"))
        replies = [wire.reply()]
        while b"marker-at-the-end" not in replies[-1]:
            replies.append(wire.reply())
        return b"".join(replies)


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("sent", MALFORMED, ids=repr)
def test_malformed_input_is_refused_as_by_redis(sent: bytes, pieces: int, peer: Server, ours: Server) -> None:
    assert answer_and_close(ours, sent, pieces) == answer_and_close(peer, sent, pieces)


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("sent", TOLERATED, ids=repr)
def test_odd_input_is_taken_as_by_redis(sent: bytes, pieces: int, peer: Server, ours: Server) -> None:
    assert answer_and_go_on(ours, sent, pieces) == answer_and_go_on(peer, sent, pieces)


def test_malformed_input_costs_no_memory(ours: Server) -> None:
    before = ours.resident_bytes()
    for sent in MALFORMED * 20:
        with ours.wire() as wire:
            wire.send(sent)
    with ours.wire() as wire:
        assert ping_works(wire)
    assert ours.resident_bytes() - before < 4 * MIB


def test_a_promise_of_much_holds_little(ours: Server) -> None:
    """Memory follows the bytes that came, not the lengths announced."""
    before = ours.resident_bytes()
    wires = [ours.wire() for _ in range(200)]
    for wire in wires:
        wire.send(b"*2\r\n$3\r\nGET\r\n$60000000\r\nabc")
    with ours.wire() as other:
        assert ping_works(other)
    assert ours.resident_bytes() - before < 200 * 64 * KIB
    for wire in wires:
        wire.close()


# ---- the limits ------------------------------------------------------------------------------------------


def login(wire: Wire) -> None:
    assert wire("AUTH", SECRET) == "OK"


@pytest.mark.parametrize("authenticated", [False, True])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_inline_line(over: int, authenticated: bool, guarded: Server) -> None:
    limit = 64 * KIB if authenticated else 1 * KIB
    with guarded.wire() as wire:
        if authenticated:
            login(wire)
        wire.send(b"PING " + b"x" * (limit + over - 6) + b"\r\n")  # the CR counts, the LF does not
        if over > 0:
            return refused(wire, "too big inline request")
        expected = b"$" if authenticated else b"-NOAUTH"
        assert wire.reply().startswith(expected)


@pytest.mark.parametrize("authenticated", [False, True])
def test_inline_line_without_an_end(authenticated: bool, guarded: Server) -> None:
    with guarded.wire() as wire:
        if authenticated:
            login(wire)
        wire.send(b"x" * (64 * KIB + 2 if authenticated else KIB + 2))
        refused(wire, "too big inline request")


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_multibulk_count_before_auth(over: int, guarded: Server) -> None:
    with guarded.wire() as wire:
        wire.send(b"*%d\r\n" % (10 + over))
        if over > 0:
            return refused(wire, "(invalid|unauthenticated) multibulk length")
        wire.send(b"$1\r\nx\r\n" * (10 + over))
        assert wire.reply().startswith(b"-NOAUTH")


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_multibulk_count_after_auth(over: int, guarded: Server) -> None:
    count = 1_048_576 + over
    with guarded.wire() as wire:
        login(wire)
        wire.send(b"*%d\r\n" % count)
        if over > 0:
            return refused(wire, "invalid multibulk length")
        wire.send(b"$6\r\nEXISTS\r\n" + b"$1\r\nx\r\n" * (count - 1))
        assert wire.reply() == b":0\r\n"


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_bulk_length_before_auth(over: int, guarded: Server) -> None:
    size = 16 * KIB + over
    with guarded.wire() as wire:
        wire.send(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n" % size)
        if over > 0:
            return refused(wire, "(invalid|unauthenticated) bulk length")
        wire.send(b"x" * size + b"\r\n")
        assert wire.reply().startswith(b"-WRONGPASS")


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_bulk_length_after_auth(over: int, guarded: Server) -> None:
    with guarded.wire() as wire:
        login(wire)
        wire.send(b"*2\r\n$4\r\nPING\r\n$%d\r\n" % (512 * MIB + over))
        if over > 0:
            return refused(wire, "invalid bulk length")
        wire.send(b"only the beginning")
    with guarded.wire() as wire:
        login(wire)
        assert ping_works(wire)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_value_cap(over: int, guarded: Server) -> None:
    value = b"v" * (64 * MIB + over)
    with guarded.wire(timeout_s=60) as wire:
        login(wire)
        reply = wire.raw("SET", "k", value)
        if over > 0:
            assert reply == b"-ERR value too large\r\n"
            assert wire("EXISTS", "k") == 0
        else:
            assert reply == b"+OK\r\n"
            assert wire("GET", "k") == value
            assert wire("STRLEN", "k") == len(value)
        assert ping_works(wire)


@pytest.mark.parametrize("how", ["APPEND", "SETRANGE", "MSET", "SETEX", "GETSET"])
def test_no_command_goes_past_the_value_cap(how: str, guarded: Server) -> None:
    with guarded.wire(timeout_s=60) as wire:
        login(wire)
        cap = 64 * MIB
        wire("SET", "k", b"v" * cap)
        big = b"v" * (cap + 1)
        commands: dict[str, tuple[bytes | str | int, ...]] = {
            "APPEND": ("APPEND", "k", "x"),
            "SETRANGE": ("SETRANGE", "k", cap, "x"),
            "MSET": ("MSET", "other", "1", "k", big),
            "SETEX": ("SETEX", "k", 100, big),
            "GETSET": ("GETSET", "k", big),
        }
        assert re.match(rb"-ERR (value too large|string exceeds)", wire.raw(*commands[how]))
        assert wire("STRLEN", "k") == cap
        assert wire("EXISTS", "other") == 0
        assert ping_works(wire)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("command", ["SET", "GET", "DEL", "MSET", "EXISTS", "INCR", "TTL", "RENAME"])
def test_key_cap(command: str, over: int, guarded: Server) -> None:
    key = b"k" * (64 * KIB + over)
    tail: dict[str, list[str]] = {"SET": ["1"], "MSET": ["1"], "RENAME": ["j"]}
    with guarded.wire() as wire:
        login(wire)
        wire("SET", key, "1")
        reply = wire.raw(command, key, *tail.get(command, []))
        assert (reply == b"-ERR value too large\r\n") == (over > 0), reply
        assert ping_works(wire)


@pytest.mark.parametrize("value", [b"", b"x", bytes(range(256)), b"\r\n$3\r\n", b"\x00" * 100])
def test_keys_and_values_are_binary_safe(value: bytes, ours: Server) -> None:
    with ours.wire() as wire:
        assert wire("SET", b"k" + value, value) == "OK"
        assert wire("GET", b"k" + value) == value
        assert wire("MGET", b"k" + value, "none") == [value, None]
        assert wire("DEL", b"k" + value) == 1


def test_query_buffer_before_auth(guarded: Server) -> None:
    """Ten arguments of nearly 16 KiB: each allowed, together more than 64 KiB."""
    with guarded.wire() as wire:
        data = b"*10\r\n" + b"$16000\r\n%s\r\n" % (b"x" * 16000) * 9
        with pytest.raises((Closed, ConnectionError)):
            wire.send(data)
            wire.reply()


def test_query_buffer_after_auth(guarded: Server) -> None:
    """Arguments that together pass 64 MiB before the command is whole: closed, and the memory is back."""
    before = guarded.resident_bytes()
    with guarded.wire(timeout_s=60) as wire:
        login(wire)
        piece = b"$1000\r\n%s\r\n" % (b"x" * 1000)
        with pytest.raises((Closed, ConnectionError)):
            wire.send(b"*200000\r\n$4\r\nMGET\r\n")
            for _ in range(199):
                wire.send(piece * 1000)
            wire.reply()
    with guarded.wire() as wire:
        login(wire)
        assert ping_works(wire)
    assert guarded.resident_peak_bytes() - before < 200 * MIB


def test_unread_replies_before_auth(guarded: Server) -> None:
    """Who never reads its NOAUTH errors is closed at 64 KiB of them (CVE-2025-21605)."""
    with guarded.wire() as wire:
        before = guarded.resident_bytes()
        flood = encode("GET", "k") * 1000
        with pytest.raises((ConnectionError, TimeoutError)):
            wire.socket.settimeout(5)
            for _ in range(3000):
                wire.send(flood)
        assert guarded.resident_bytes() - before < 8 * MIB
    with guarded.wire() as other:
        login(other)
        assert ping_works(other)


def test_unauthenticated_connections(guarded: Server) -> None:
    """At most 100 that have not said who they are; those that have are not counted among them."""
    wires = []
    for _ in range(5):
        wires.append(guarded.wire())
        login(wires[-1])
    refusals = 0
    for _ in range(101):
        wire = guarded.wire()
        wires.append(wire)
        try:
            if not wire.raw("PING").startswith(b"-NOAUTH"):
                refusals += 1
        except (Closed, ConnectionError):
            refusals += 1
    assert refusals == 1
    assert ping_works(wires[0])
    for wire in wires:
        wire.close()


def test_time_to_authenticate(guarded: Server) -> None:
    """A silent connection and one that sends a byte now and then are closed after ten seconds."""
    with guarded.wire(timeout_s=15) as silent, guarded.wire(timeout_s=15) as slow, guarded.wire() as known:
        login(known)
        slow.send(b"*2\r\n$4\r\nAU")
        assert silent.rest() == b""
        assert slow.rest() == b""
        assert ping_works(known)


def test_maxclients(new_server: Callable[..., Server]) -> None:
    server = new_server("--maxclients", "20")
    with server.wire() as first:
        while b"connected_clients:1\r\n" not in first("INFO", "clients"):
            pass  # the one that waited for the start is still going
        wires = [first, *(server.wire() for _ in range(19))]
        check_maxclients(server, wires)


def check_maxclients(server: Server, wires: list[Wire]) -> None:
    """With the last of maxclients connected, one more is refused, until another has gone."""
    assert all(ping_works(w) for w in wires)
    with server.wire() as one_more:
        assert one_more.reply() == b"-ERR max number of clients reached\r\n"
        assert one_more.rest() == b""
    wires.pop().close()
    while b"connected_clients:19\r\n" not in wires[0]("INFO", "clients"):
        pass  # the server has not noticed yet
    with server.wire() as again:
        assert ping_works(again)
    for wire in wires:
        wire.close()


# ---- what is not Redis at all ----------------------------------------------------------------------------

FOREIGN = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /set HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\nSET pwned yes\r\n",
    b"POST / HTTP/1.1\r\n\r\nSET pwned yes\r\n",
    b"HOST: localhost\r\nSET pwned yes\r\n",
    b"Host: localhost\r\nSET pwned yes\r\n",
    b"PING\r\nHost: localhost\r\nSET pwned yes\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    b"\x16\x03\x03\x00\x01\x00",
]


@pytest.mark.parametrize("sent", FOREIGN, ids=lambda s: repr(s[:20]))
def test_http_and_tls_are_refused(sent: bytes, ours: Server) -> None:
    with ours.wire() as known:
        known("DEL", "pwned")
        with ours.wire() as wire:
            wire.send(sent)
            assert wire.rest() in (b"", b"+PONG\r\n")
        assert known("EXISTS", "pwned") == 0
        assert ping_works(known)


def test_a_banner_and_random_bytes_change_nothing(ours: Server, seed: int) -> None:
    chance = random.Random(seed)
    with ours.wire() as known:
        known("FLUSHALL")
        for sent in [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            *(chance.randbytes(chance.randrange(1, 5000)) for _ in range(300)),
        ]:
            with ours.wire() as wire:
                wire.send(sent)
        assert ping_works(known)
        assert known("DBSIZE") == 0
