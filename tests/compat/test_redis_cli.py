"""redis-cli and redis-benchmark, unchanged, against our server."""

import shutil
import subprocess

import pytest

from harness.process import REDIS_CLI, Server


def cli(server: Server, *arguments: str, stdin: bytes = b"") -> str:
    """Run redis-cli; what it printed, errors too."""
    assert REDIS_CLI, "redis-cli is not installed"
    done = subprocess.run(
        [REDIS_CLI, "-p", str(server.port), *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.stdout.decode(errors="replace").strip()


@pytest.fixture(autouse=True)
def empty(ours: Server) -> None:
    with ours.wire() as wire:
        wire("FLUSHALL")


def test_commands(ours: Server) -> None:
    assert cli(ours, "SET", "k", "v") == "OK"
    assert cli(ours, "GET", "k") == "v"
    assert cli(ours, "-3", "GET", "none") == ""
    assert cli(ours, "-n", "3", "SET", "three", "3") == "OK"
    assert cli(ours, "-n", "3", "DBSIZE") == "1"
    assert cli(ours, "DBSIZE") == "1"
    assert "ERR unknown command" in cli(ours, "NOSUCH")
    assert "redis_version:7" in cli(ours, "INFO", "server")
    assert "GETRANGE" in cli(ours, "COMMAND", "DOCS", "getrange").upper()


def test_the_same_output_as_with_redis_server(ours: Server, peer: Server) -> None:
    with peer.wire() as wire:
        wire("FLUSHALL")
    script = b"""
SET k "line\\nbreak"
GET k
MSET a 1 b 2
MGET a b c
INCR k
COMMAND COUNT x
SCAN 0 COUNT 100 MATCH nothing
TTL k
LCS a b IDX
"""
    assert cli(ours, stdin=script) == cli(peer, stdin=script)
    assert cli(ours, "-3", stdin=script) == cli(peer, "-3", stdin=script)


def test_scan_modes(ours: Server) -> None:
    with ours.wire() as wire:
        for n in range(500):
            wire("SET", f"key:{n}", "v" * n)
    assert len(cli(ours, "--scan").splitlines()) == 500
    assert len(cli(ours, "--scan", "--pattern", "key:4*").splitlines()) == 111
    big = cli(ours, "--bigkeys")
    assert """'"key:499"' has 499 bytes""" in big
    assert "500 strings with" in big
    assert "500 strings with" in cli(ours, "--memkeys")


def test_mass_insertion(ours: Server) -> None:
    data = b"".join(b"*3\r\n$3\r\nSET\r\n$6\r\nk%05d\r\n$1\r\nv\r\n" % n for n in range(20_000))
    printed = cli(ours, "--pipe", stdin=data)
    assert "errors: 0, replies: 20000" in printed
    assert cli(ours, "DBSIZE") == "20000"


def test_latency_and_stat_modes_answer(ours: Server) -> None:
    assert cli(ours, "--raw", "PING") == "PONG"
    assert cli(ours, "-r", "5", "INCR", "n").splitlines() == ["1", "2", "3", "4", "5"]
    assert cli(ours, "-x", "SET", "stdin", stdin=b"from stdin") == "OK"
    assert cli(ours, "GET", "stdin") == "from stdin"


def test_redis_benchmark_runs(ours: Server) -> None:
    program = shutil.which("redis-benchmark")
    assert program
    command = [program, "-p", str(ours.port), "-n", "2000", "-q", "-P", "4", "-r", "1000"]
    done = subprocess.run(
        [*command, "-t", "ping,set,get,incr,mset"], capture_output=True, text=True, timeout=120, check=True
    )
    assert "ERR" not in done.stdout + done.stderr
    for name in ("PING_INLINE", "SET", "GET", "INCR", "MSET"):
        assert name in done.stdout
