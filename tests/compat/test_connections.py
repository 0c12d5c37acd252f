"""Many connections, slow ones, half-sent commands: bounded memory, and no effect on the others."""

import resource
import select
import socket
import threading
import time
from collections.abc import Callable

import pytest

from harness.process import Server
from harness.wire import Closed, Wire, encode

KIB, MIB = 1024, 1024 * 1024


def settle(what: Callable[[], bool], seconds: float = 20) -> bool:
    """Wait until something holds that another process brings about."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_ten_thousand_idle_connections(new_server: Callable[..., Server]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10_000
    if hard < wanted + 1000:
        pytest.skip(f"this process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = new_server()
    before = server.resident_bytes()
    idle: list[socket.socket] = []
    try:
        for _ in range(wanted - 1):
            idle.append(socket.create_connection(("127.0.0.1", server.port)))
        for s in idle[::100]:
            s.sendall(b"PING\r\n")
        assert all(s.recv(100) == b"+PONG\r\n" for s in idle[::100])
        with server.wire() as wire:
            assert wire("PING") == "PONG"
            info = wire("INFO", "clients").decode()
            assert f"connected_clients:{wanted}\r\n" in info
            with server.wire() as one_more:
                assert one_more.reply() == b"-ERR max number of clients reached\r\n"
            print(f"{(server.resident_bytes() - before) / wanted / KIB:.1f} KiB a connection")
            assert server.resident_bytes() - before < wanted * 8 * KIB
            for s in idle:
                s.close()
            assert settle(lambda: "connected_clients:1\r\n" in wire("INFO", "clients").decode())
    finally:
        for s in idle:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_that_never_reads(new_server: Callable[..., Server]) -> None:
    """The parser stops for it, memory stays bounded, others go on; when it reads, it gets every reply."""
    server = new_server()
    value, times = b"v" * MIB, 500
    with server.wire() as other, server.wire(timeout_s=60) as slow:
        other("SET", "big", value)
        before = server.resident_bytes()
        slow.send(encode("GET", "big") * times)
        rounds = 0
        for _ in range(2000):
            assert other("INCR", "n") == (rounds := rounds + 1)
        assert server.resident_peak_bytes() - before < 32 * MIB
        for _ in range(times):
            assert slow.reply() == b"$%d\r\n%s\r\n" % (MIB, value)


def test_a_slow_reader_of_one_huge_reply(new_server: Callable[..., Server]) -> None:
    """MGET of 100 MiB: more than the soft limit of what may lie unsent, given to one who reads on."""
    server = new_server()
    with server.wire(timeout_s=60) as wire:
        value = b"v" * MIB
        wire("SET", "big", value)
        wire.send(encode("MGET", *["big"] * 100))
        assert wire.reply() == b"*100\r\n" + b"$%d\r\n%s\r\n" % (MIB, value) * 100


def test_unread_replies_past_the_hard_limit_close(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with server.wire() as other, server.wire() as greedy:
        other("SET", "big", b"v" * MIB)
        with pytest.raises((Closed, ConnectionError)):
            greedy.send(encode("MGET", *["big"] * 300))
            for _ in range(1000):
                greedy.send(encode("PING") * 100)
                time.sleep(0.01)
        assert other("PING") == "PONG"
        assert server.resident_peak_bytes() < 600 * MIB


def test_a_pipeline_of_any_depth(ours: Server) -> None:
    depth = 200_000
    with ours.wire(timeout_s=60) as wire:
        wire("DEL", "n")
        sender = threading.Thread(target=wire.send, args=(encode("INCR", "n") * depth,))
        sender.start()
        for n in range(1, depth + 1):
            assert wire.reply() == b":%d\r\n" % n
        sender.join()


def test_replies_keep_the_order_of_commands(ours: Server) -> None:
    """Native commands, ones that Python runs, errors and large replies, in one pipeline."""
    with ours.wire(timeout_s=60) as wire:
        wire("FLUSHALL")
        wire("SET", "big", b"v" * 100_000)
        commands: list[tuple[bytes | str | int, ...]] = []
        for n in range(500):
            commands += [
                ("SET", "k", n),
                ("GET", "k"),
                ("OBJECT", "ENCODING", "k"),
                ("ECHO", n),
                ("NOSUCH", n),
                ("GET", "big"),
                ("CONFIG", "GET", "nosuch"),
                ("INCR", "k"),
                ("COPY", "k", "j", "REPLACE"),
                ("GET", "j"),
            ]
        replies = wire.raw_many(commands)
        for n in range(500):
            text, next_text = str(n).encode(), str(n + 1).encode()
            ten = replies[n * 10 : n * 10 + 10]
            assert ten[1] == b"$%d\r\n%s\r\n" % (len(text), text)
            assert ten[2] == b"$3\r\nint\r\n"
            assert ten[3] == ten[1]
            assert ten[4].startswith(b"-ERR unknown command")
            assert len(ten[5]) == 100_000 + 11
            assert ten[6] == b"*0\r\n"
            assert ten[7] == b":%s\r\n" % next_text
            assert ten[8] == b":1\r\n"
            assert ten[9] == b"$%d\r\n%s\r\n" % (len(next_text), next_text)


def test_half_a_command_then_gone(new_server: Callable[..., Server]) -> None:
    """No effect, and nothing kept: memory and descriptors come back."""
    server = new_server()
    with server.wire() as other:
        other("SET", "k", "before")
        whole = encode("SET", "k", b"v" * 10_000)
        descriptors, memory = server.descriptors(), server.resident_bytes()
        for n in range(3000):
            with server.wire() as wire:
                wire.send(whole[: 1 + n * 7 % (len(whole) - 1)])
        assert settle(lambda: server.descriptors() <= descriptors)
        assert other("GET", "k") == b"before"
        assert server.resident_bytes() - memory < 16 * MIB


def test_a_command_then_gone_before_the_reply(new_server: Callable[..., Server]) -> None:
    """Its effect, exactly once."""
    server = new_server()
    with server.wire() as other:
        for _ in range(500):
            with server.wire() as wire:
                wire.send(encode("INCR", "n") + encode("GET", "n") * 50 + encode("OBJECT", "HELP"))
        assert settle(lambda: other("GET", "n") == b"500")
        assert not settle(lambda: other("GET", "n") != b"500", seconds=0.3)


def test_byte_by_byte(ours: Server) -> None:
    with ours.wire() as wire:
        for command in (encode("SET", "k", b"\r\n\x00v"), encode("GET", "k"), b'SET k "inline"\r\n'):
            for at in range(len(command)):
                wire.send(command[at : at + 1])
        assert [wire.reply() for _ in "123"] == [b"+OK\r\n", b"$4\r\n\r\n\x00v\r\n", b"+OK\r\n"]


def test_half_closed_connections_get_their_replies(ours: Server) -> None:
    with ours.wire() as wire:
        wire.send(encode("SET", "k", "v") + encode("GET", "k"))
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.rest() == b"+OK\r\n$1\r\nv\r\n"


def test_quit_answers_and_closes(ours: Server) -> None:
    with ours.wire() as wire:
        wire.send(encode("QUIT") + encode("SET", "after-quit", "1"))
        assert wire.rest() == b"+OK\r\n"
    with ours.wire() as wire:
        assert wire("EXISTS", "after-quit") == 0


def test_client_reply_off_skip_on(peer: Server, ours: Server) -> None:
    commands: list[tuple[bytes | str | int, ...]] = [
        ("PING", "1"),
        ("CLIENT", "REPLY", "SKIP"),
        ("PING", "skipped"),
        ("PING", "2"),
        ("CLIENT", "REPLY", "OFF"),
        ("PING", "off"),
        ("OBJECT", "HELP"),
        ("NOSUCH",),
        ("CLIENT", "REPLY", "SKIP"),
        ("PING", "still off"),
        ("CLIENT", "REPLY", "ON"),
        ("PING", "3"),
        ("CLIENT", "REPLY", "SKIP"),
        ("OBJECT", "HELP"),
        ("PING", "4"),
        ("QUIT",),
    ]
    answers = []
    for server in (peer, ours):
        with server.wire() as wire:
            wire.send(b"".join(encode(*c) for c in commands))
            answers.append(wire.rest())
    assert answers[0] == answers[1]


def test_client_kill_and_list(ours: Server) -> None:
    with ours.wire() as wire, ours.wire() as victim:
        victim("CLIENT", "SETNAME", "victim")
        number = victim("CLIENT", "ID")
        assert b"name=victim" in wire("CLIENT", "LIST", "ID", number)
        assert wire("CLIENT", "KILL", "ID", number) == 1
        assert victim.rest() == b""
        assert wire("CLIENT", "LIST", "ID", number) == b""
        # One may end oneself, and still hears of it.
        me = wire("CLIENT", "ID")
        assert wire("CLIENT", "KILL", "ID", me, "SKIPME", "yes") == 0
        assert wire("CLIENT", "KILL", "ID", me, "SKIPME", "no") == 1
        assert wire.rest() == b""


def test_client_pause_holds_writes_only(ours: Server) -> None:
    with ours.wire() as wire, ours.wire() as writer:
        wire("SET", "k", "before")
        assert wire("CLIENT", "PAUSE", 60_000, "WRITE") == "OK"
        writer.send(encode("SET", "k", "after"))
        assert wire("GET", "k") == b"before"
        assert select.select([writer.socket], [], [], 0.2)[0] == []
        assert wire("CLIENT", "UNPAUSE") == "OK"
        assert writer.reply() == b"+OK\r\n"
        assert wire("GET", "k") == b"after"


def test_client_pause_ends_by_itself(ours: Server) -> None:
    with ours.wire() as wire, ours.wire() as paused:
        assert wire("CLIENT", "PAUSE", 300) == "OK"
        begin = time.monotonic()
        assert paused("PING") == "PONG"
        assert time.monotonic() - begin > 0.1


def test_idle_timeout(new_server: Callable[..., Server]) -> None:
    server = new_server("--timeout", "1")
    with server.wire() as idle, server.wire() as busy:
        idle("PING")
        watcher = threading.Thread(target=idle.rest)
        watcher.start()
        while watcher.is_alive():
            assert busy("PING") == "PONG"
            watcher.join(0.2)
        assert busy("PING") == "PONG"


def test_many_clients_at_once_count_right(ours: Server) -> None:
    """Fifty connections incrementing the same counters: no update is lost, each reply is the next number."""
    with ours.wire() as wire:
        wire("DEL", "shared")
    seen: list[list[int]] = []

    def work() -> None:
        with ours.wire() as mine:
            mine.send(encode("INCR", "shared") * 200)
            seen.append([int(mine.reply()[1:]) for _ in range(200)])

    threads = [threading.Thread(target=work) for _ in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(numbers == sorted(numbers) for numbers in seen)
    assert sorted(n for numbers in seen for n in numbers) == list(range(1, 50 * 200 + 1))


def test_requirepass(new_server: Callable[..., Server]) -> None:
    server = new_server("--requirepass", "s3cret")
    with server.wire() as wire:
        for command in (("GET", "k"), ("PING",), ("CONFIG", "GET", "requirepass"), ("SHUTDOWN",), ("INFO",)):
            assert wire.raw(*command) == b"-NOAUTH Authentication required.\r\n"
        assert wire.raw("HELLO", 3).startswith(b"-NOAUTH HELLO must be called with the client already auth")
        assert (
            wire.raw("AUTH", "wrong") == b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        )
        assert wire.raw("AUTH", "default", "wrong").startswith(b"-WRONGPASS")
        assert wire.raw("AUTH", "other", "s3cret").startswith(b"-WRONGPASS")
        assert wire.raw("AUTH", "default", "s3cret") == b"+OK\r\n"
        assert wire("PING") == "PONG"
        wire("RESET")
        assert wire.raw("PING") == b"-NOAUTH Authentication required.\r\n"
        assert wire("HELLO", 3, "AUTH", "default", "s3cret")[b"proto"] == 3
        assert wire("CONFIG", "SET", "requirepass", "") == "OK"
    with server.wire() as wire:
        assert wire("PING") == "PONG"


def test_password_is_not_shown(new_server: Callable[..., Server]) -> None:
    """Neither in the slow log, nor in CLIENT LIST, nor in what the server prints."""
    server = new_server("--requirepass", "s3cret-word", "--slowlog-log-slower-than", "0")
    with server.wire() as wire:
        wire("AUTH", "s3cret-word")
        wire("AUTH", "default", "s3cret-word")
        wire("HELLO", 2, "AUTH", "default", "s3cret-word")
        wire("CONFIG", "SET", "requirepass", "s3cret-word")
        shown = wire.raw("SLOWLOG", "GET", -1) + wire.raw("CLIENT", "LIST")
    assert b"s3cret-word" not in shown
    assert "s3cret-word" not in server.printed()


def test_reset_of_connections_leaves_the_rest_alone(ours: Server) -> None:
    """RST in the middle of replies and requests."""
    with ours.wire() as other:
        other("SET", "big", b"v" * MIB)
        for n in range(200):
            wire = Wire(ours.port)
            wire.send(encode("GET", "big") * 3 + encode("SET", "k", b"x" * 1000)[: n * 5])
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            wire.close()
        assert other("PING") == "PONG"
