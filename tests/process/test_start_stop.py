"""Starting, stopping and starting again: what the process promises around the store."""

import os
import re
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.process import Server, respkv
from harness.wire import Closed, encode

NewServer = Callable[..., Server]


def refused_start(directory: Path, *options: str, port: int | None = None) -> str:
    """Start where it must fail: exit status 1, and one line that says why.

    Returns:
        That line.
    """
    server = respkv(directory, *options, port=port)
    server.spawn()
    try:
        assert server.wait() == 1
    finally:
        server.kill()
    lines = [line for line in server.printed().splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def test_start_up_screen(tmp_path: Path) -> None:
    """Version, address, directory, durability, what was recovered."""
    with respkv(tmp_path, "--appendfsync", "always") as server:
        server.start()
        with server.wire() as wire:
            wire("SET", "k", "v")
        screen = server.printed()
        assert re.search(r"\d+\.\d+\.\d+", screen)
        assert f"127.0.0.1:{server.port}" in screen
        assert str(tmp_path / "data") in screen
        assert "always" in screen
        server.kill()
        before = len(server.printed())
        server.start()
        assert re.search(r"recovered .*\d", server.printed()[before:])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop(number: int, new_server: NewServer) -> None:
    server = new_server("--appendfsync", "no")
    with server.wire() as wire:
        for n in range(1000):
            wire("SET", f"k{n}", n)
    server.signal(number)
    assert server.wait() == 0
    server.start()
    with server.wire() as wire:
        assert wire("DBSIZE") == 1000
        assert wire("MGET", *(f"k{n}" for n in range(1000))) == [str(n).encode() for n in range(1000)]


def test_stop_finishes_replies(new_server: NewServer) -> None:
    """Every reply that came before the connection closed stands for a kept write."""
    server = new_server("--appendfsync", "always")
    acked = 0
    with server.wire() as wire:
        stop = threading.Timer(0.3, server.signal, [signal.SIGTERM])
        stop.start()
        try:
            while True:
                wire.send(encode("INCR", "n") * 100)
                for _ in range(100):
                    acked = int(wire.reply()[1:])
        except (Closed, ConnectionError):
            pass
        stop.join()
    assert server.wait() == 0
    server.start()
    with server.wire() as wire:
        assert int(wire("GET", "n")) >= acked > 0


def test_shutdown_command(new_server: NewServer) -> None:
    for how in ([], ["NOSAVE"], ["SAVE"], ["NOW"], ["FORCE"]):
        server = new_server()
        with server.wire() as wire:
            wire("SET", "k", "v")
            wire.send(encode("SHUTDOWN", *how))
            assert wire.rest() == b""
        assert server.wait() == 0
        server.start()
        with server.wire() as wire:
            assert wire("GET", "k") == b"v"


def test_restart_keeps_everything(new_server: NewServer) -> None:
    server = new_server("--databases", "4")
    big = os.urandom(3_000_000)
    with server.wire() as wire:
        wire("SET", "plain", "v")
        wire("SET", b"\x00\xff\r\n", b"\x00\r\n")
        wire("SET", "", "")
        wire("SET", "big", big)
        wire("SET", "short-lived", "v", "PX", 50)
        wire("SET", "long-lived", "v", "EX", 10_000)
        at = wire("PEXPIRETIME", "long-lived")
        wire("SET", "deleted", "v")
        wire("DEL", "deleted")
        wire("SELECT", 1)
        wire("SET", "one", "1")
        wire("SWAPDB", 1, 2)
        wire("SELECT", 3)
        wire("SET", "flushed", "1")
        wire("FLUSHDB")
    for stop in (server.terminate, server.kill):
        stop()
        server.start()
        with server.wire() as wire:
            assert wire("GET", "plain") == b"v"
            assert wire("GET", b"\x00\xff\r\n") == b"\x00\r\n"
            assert wire("GET", "") == b""
            assert wire("GET", "big") == big
            assert wire("PEXPIRETIME", "long-lived") == at
            assert wire("EXISTS", "deleted", "short-lived") == 0
            assert wire("DBSIZE") == 5
            wire("SELECT", 1)
            assert wire("DBSIZE") == 0
            wire("SELECT", 2)
            assert wire("GET", "one") == b"1"
            wire("SELECT", 3)
            assert wire("DBSIZE") == 0


def test_two_processes_on_one_directory(new_server: NewServer, tmp_path: Path) -> None:
    first = new_server()
    with first.wire() as wire:
        wire("SET", "k", "v")
        line = refused_start(tmp_path / "second", "--dir", str(first.directory / "data"))
        assert str(first.directory / "data") in line
        assert re.search("in use|another process|locked", line)
        assert wire("GET", "k") == b"v"
        assert wire("SET", "k", "w") == "OK"
    first.kill()
    first.start()
    with first.wire() as wire:
        assert wire("GET", "k") == b"w"


def test_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        line = refused_start(tmp_path, port=port)
        assert str(port) in line
        assert "in use" in line


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--nosuch", "1"], "nosuch"),
        (["--port", "abc"], "port"),
        (["--port", "-1"], "port"),
        (["--port", "65536"], "port"),
        (["--port"], "port"),
        (["--port", "7000", "7001"], "port"),
        (["--appendfsync", "sometimes"], "appendfsync"),
        (["--appendfsync", ""], "appendfsync"),
        (["--databases", "0"], "databases"),
        (["--databases", "9999999"], "databases"),
        (["--maxmemory", "lots"], "maxmemory"),
        (["--maxmemory", "-1"], "maxmemory"),
        (["--maxmemory", "1"], "maxmemory"),
        (["--maxclients", "0"], "maxclients"),
        (["--timeout", "-1"], "timeout"),
        (["--protected-mode", "maybe"], "protected-mode"),
        (["--loglevel", "loud"], "loglevel"),
        (["--bind", "not an address"], "bind"),
        (["--bind", "192.0.2.1"], "192.0.2.1"),
        (["--dir", "/proc/nowhere"], "/proc/nowhere"),
        (["--slowlog-log-slower-than", "1.5"], "slowlog-log-slower-than"),
        (["--client-output-buffer-limit", "normal 1"], "client-output-buffer-limit"),
        (["--cluster-enabled", "yes"], "cluster-enabled"),
        (["/no/such/file.conf"], "/no/such/file.conf"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_bad_directives(options: list[str], named: str, tmp_path: Path) -> None:
    file = [o for o in options if o.endswith(".conf")]
    server = respkv(tmp_path)
    server.command = [server.command[0], *file, *server.command[1:], *(o for o in options if o not in file)]
    server.spawn()
    try:
        assert server.wait() == 1
    finally:
        server.kill()
    lines = [line for line in server.printed().splitlines() if line.strip()]
    assert len(lines) == 1
    assert named in lines[0]


@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("port 7000\nnosuch 1\n", 2, "nosuch"),
        ("\n\n# comment\nport abc\n", 4, "port"),
        ("port\n", 1, "port"),
        ("port 7000 7001\n", 1, "port"),
        ('requirepass "unbalanced\n', 1, "quotes"),
        ("appendfsync maybe\n", 1, "appendfsync"),
        ("include /no/such/other.conf\n", 1, "/no/such/other.conf"),
    ],
)
def test_bad_lines_of_a_file(text: str, line: int, named: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.conf"
    file.write_text(text)
    server = respkv(tmp_path / "server")
    server.command.insert(1, str(file))
    server.spawn()
    try:
        assert server.wait() == 1
    finally:
        server.kill()
    (printed,) = [s for s in server.printed().splitlines() if s.strip()]
    assert f"{file}:{line}" in printed or re.search(rf"bad\.conf.*line {line}\b", printed)
    assert named in printed


def test_the_given_configuration_starts(tmp_path: Path) -> None:
    """conf/respkv.conf as it stands; the command line goes over the file."""
    file = Path(__file__).resolve().parents[2] / "conf" / "respkv.conf"
    server = respkv(tmp_path)
    server.command.insert(1, str(file))
    with server, server.start().wire() as wire:
        assert wire("CONFIG", "GET", "port") == [b"port", str(server.port).encode()]
        assert wire("CONFIG", "GET", "appendfsync") == [b"appendfsync", b"everysec"]


def test_config_rewrite_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "mine.conf"
    file.write_text("# mine\ntimeout 100 \n\nslowlog-max-len 7\n# the end\n")
    server = respkv(tmp_path)
    server.command.insert(1, str(file))
    with server:
        with server.start().wire() as wire:
            assert wire("CONFIG", "SET", "timeout", 200, "appendfsync", "always") == "OK"
            assert wire("CONFIG", "SET", "requirepass", "with space \"'") == "OK"
            assert wire("CONFIG", "REWRITE") == "OK"
        text = file.read_text()
        assert text.startswith("# mine\ntimeout 200\n")
        assert "# the end\n" in text
        server.terminate()
        server.start()
        with server.wire() as wire:
            assert wire("AUTH", "with space \"'") == "OK"
            assert wire("CONFIG", "GET", "timeout") == [b"timeout", b"200"]
            assert wire("CONFIG", "GET", "appendfsync") == [b"appendfsync", b"always"]
            assert wire("CONFIG", "GET", "slowlog-max-len") == [b"slowlog-max-len", b"7"]


def test_config_rewrite_without_a_file(new_server: NewServer) -> None:
    with new_server().wire() as wire:
        assert wire.raw("CONFIG", "REWRITE") == b"-ERR The server is running without a config file\r\n"


def test_file_paths_are_not_for_clients(new_server: NewServer) -> None:
    """A client that could set dir or logfile could write files anywhere."""
    with new_server().wire() as wire:
        for directive, value in (("dir", "/tmp"), ("logfile", "/tmp/x"), ("port", "1"), ("bind", "0.0.0.0")):
            assert wire.raw("CONFIG", "SET", directive, value).startswith(b"-ERR CONFIG SET failed")


def test_hangup_reopens_the_log(tmp_path: Path) -> None:
    log = tmp_path / "respkv.log"
    with respkv(tmp_path, "--logfile", str(log), "--loglevel", "debug") as server:
        server.start()
        assert log.stat().st_size > 0
        log.rename(tmp_path / "old.log")
        server.signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert log.exists()
        assert server.terminate() == 0
        assert log.stat().st_size > 0


def test_files_are_for_the_owner_only(new_server: NewServer) -> None:
    data = new_server().directory / "data"
    for path in [data, *data.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o007, path


def test_a_directory_that_is_not_a_store(tmp_path: Path) -> None:
    """Somebody's files are left alone."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "CURRENT").write_text("something else\n")
    line = refused_start(tmp_path)
    assert str(data) in line
    assert (data / "CURRENT").read_text() == "something else\n"


def test_start_stop_cycles_leave_nothing_behind(new_server: NewServer) -> None:
    """Files do not pile up from restarts, and each restart is a clean one."""
    server = new_server()
    counts = []
    for n in range(6):
        with server.wire() as wire:
            assert wire("INCR", "n") == n + 1
        assert server.terminate() == 0
        counts.append(len(list((server.directory / "data").iterdir())))
        server.start()
    assert counts[-1] <= counts[1] + 3, counts


def test_sigkill_of_an_idle_server(new_server: NewServer) -> None:
    server = new_server()
    for n in range(5):
        with server.wire() as wire:
            assert wire("INCR", "n") == n + 1
        server.kill()
        server.start()
