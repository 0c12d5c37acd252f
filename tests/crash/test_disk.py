"""Real processes on a bad disk: slow reads, failing writes and syncs, no space, and space again."""

import contextlib
import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crash.disk import FaultyDisk
from harness.process import Server, respkv
from harness.wire import Closed, Wire

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    return FaultyDisk(tmp_path)


@pytest.fixture
def on_disk(disk: FaultyDisk) -> Iterator[Callable[..., Server]]:
    """Start a server on the faulty disk; it is ended after the test."""
    made: list[Server] = []

    def start(*options: str) -> Server:
        made.append(disk.server(*options))
        return made[-1].start(environment=disk.environment)

    yield start
    for server in made:
        server.kill()


def fill(wire: Wire, count: int, size: int, prefix: str = "key:") -> None:
    """Set count keys of size bytes, some hundreds a command; not compressible."""
    noise = os.urandom(size * 2)
    for at in range(0, count, 200):
        numbers = range(at, min(at + 200, count))
        pairs = [x for n in numbers for x in (f"{prefix}{n}", noise[n % size : n % size + size])]
        assert wire("MSET", *pairs) == "OK"


def settle(what: Callable[[], bool], seconds: float = 30) -> bool:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_cold_reads_hold_up_nobody_else(disk: FaultyDisk, on_disk: Callable[..., Server]) -> None:
    """Each read of the disk takes 100 ms: who makes one waits, who reads what is cached does not."""
    server = on_disk("--maxmemory", "32mb", "--memtable-size", "4mb")
    with server.wire(timeout_s=120) as wire, server.wire(timeout_s=120) as cold:
        fill(wire, 60_000, 1000)
        wire("SET", "hot", "v")
        disk.set(read_delay_ms=100)
        before = disk.get("reads")
        done = threading.Event()

        def read_cold() -> None:
            for n in range(0, 60_000, 3001):
                assert len(cold("GET", f"key:{n}")) == 1000
            done.set()

        reader = threading.Thread(target=read_cold)
        reader.start()
        waits = []
        while not done.is_set():
            begin = time.perf_counter()
            assert wire("GET", "hot") == b"v"
            waits.append(time.perf_counter() - begin)
        reader.join()
        disk.set(read_delay_ms=0)
        reads = disk.get("reads") - before
    waits.sort()
    p99 = waits[len(waits) * 99 // 100]
    print(f"{reads} slow reads; {len(waits)} cached GETs meanwhile, p99 {p99 * 1e3:.2f} ms")
    assert reads >= 10
    assert len(waits) > 1000
    assert p99 < 0.05


def test_cold_pipeline_keeps_its_order(disk: FaultyDisk, on_disk: Callable[..., Server]) -> None:
    server = on_disk("--maxmemory", "32mb", "--memtable-size", "4mb")
    with server.wire(timeout_s=120) as wire:
        fill(wire, 40_000, 1000)
        disk.set(read_delay_ms=20)
        names = [f"key:{n}" for n in range(0, 40_000, 1009)]
        replies = wire.raw_many(
            [c for n in names for c in (("STRLEN", n), ("ECHO", n), ("SET", n, n), ("GET", n))]
        )
        disk.set(read_delay_ms=0)
    for at, name in enumerate(names):
        text = b"$%d\r\n%s\r\n" % (len(name), name.encode())
        assert replies[4 * at : 4 * at + 4] == [b":1000\r\n", text, b"+OK\r\n", text]


def test_slow_syncs_do_not_hold_up_readers(disk: FaultyDisk, on_disk: Callable[..., Server]) -> None:
    server = on_disk("--appendfsync", "always")
    with server.wire() as wire, server.wire() as writer:
        wire("SET", "k", "v")
        disk.set(sync_delay_ms=500)
        begin = time.monotonic()
        thread = threading.Thread(target=lambda: writer("SET", "slow", "v"))
        thread.start()
        answered = 0
        while thread.is_alive():
            assert wire("GET", "k") == b"v"
            answered += 1
        thread.join()
        assert time.monotonic() - begin >= 0.4
        assert answered > 100
        disk.set(sync_delay_ms=0)


def test_a_failed_sync_is_final(disk: FaultyDisk, on_disk: Callable[..., Server]) -> None:
    """Who waits for it is closed (outcome unknown), later writes are refused, reads go on; a new start has
    all that was acknowledged."""
    server = on_disk("--appendfsync", "always")
    with server.wire() as wire:
        for n in range(100):
            assert wire("SET", f"k{n}", n) == "OK"
        disk.set(sync_errno=errno.EIO)
        with pytest.raises(ConnectionError):
            wire.raw("SET", "lost", "v")
        disk.set(sync_errno=0)
    with server.wire() as wire:
        for command in (("SET", "k0", "x"), ("DEL", "k1"), ("INCR", "n"), ("FLUSHALL",)):
            assert wire.raw(*command).startswith(b"-MISCONF"), command
        assert wire("GET", "k5") == b"5"
        assert wire("PING") == "PONG"
    server.kill()
    server.start(environment=disk.environment)
    with server.wire() as wire:
        assert wire("MGET", *(f"k{n}" for n in range(100))) == [str(n).encode() for n in range(100)]
        assert wire("SET", "again", "v") == "OK"


def test_no_space_then_space_again(disk: FaultyDisk, on_disk: Callable[..., Server]) -> None:
    """Every write to the disk fails with ENOSPC: read-only, then back to work without a restart."""
    server = on_disk("--maxmemory", "32mb", "--memtable-size", "1mb", "--wal-segment-size", "1mb")
    with server.wire(timeout_s=60) as wire:
        fill(wire, 2000, 1000, "kept:")
        disk.set(write_errno=errno.ENOSPC)
        acknowledged = 0
        for n in range(200_000):
            reply = wire.raw("SET", f"more:{n}", "v" * 1000)
            if reply != b"+OK\r\n":
                break
            acknowledged += 1
        assert reply.startswith(b"-MISCONF"), reply
        assert wire("STRLEN", "kept:7") == 1000
        disk.set(write_errno=0)
        assert settle(lambda: wire.raw("SET", "back", "v") == b"+OK\r\n")
        fill(wire, 2000, 1000, "after:")
    server.kill()
    server.start(environment=disk.environment)
    with server.wire(timeout_s=60) as wire:
        assert wire("EXISTS", *(f"more:{n}" for n in range(acknowledged))) == acknowledged
        assert wire("EXISTS", *(f"kept:{n}" for n in range(2000))) == 2000
        assert wire("EXISTS", *(f"after:{n}" for n in range(2000))) == 2000


def test_a_full_file_system(tmp_path: Path) -> None:
    """A real one: a tmpfs of 300 MiB, filled to the brim, then a file on it removed."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(mount)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        ballast = mount / "ballast"
        ballast.write_bytes(bytes(60 * MIB))
        options = ["--wal-segment-size", "4mb", "--memtable-size", "4mb", "--maxmemory", "64mb"]
        with respkv(mount / "server", *options) as server:
            with server.start().wire(timeout_s=60) as wire:
                acknowledged = 0
                value = os.urandom(1000)
                while (reply := wire.raw("SET", f"k{acknowledged}", value)) == b"+OK\r\n":
                    acknowledged += 1
                    assert acknowledged < 400_000
                assert reply.startswith(b"-MISCONF"), reply
                assert acknowledged > 1000
                assert wire("STRLEN", "k0") == 1000
                ballast.unlink()
                assert settle(lambda: wire.raw("SET", "back", "v") == b"+OK\r\n")
            server.kill()
            server.start()
            with server.wire(timeout_s=60) as wire:
                assert wire("DBSIZE") in (acknowledged + 1, acknowledged + 2)
                assert wire("GET", f"k{acknowledged - 1}") == value
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_write_errors_are_told(disk: FaultyDisk, on_disk: Callable[..., Server]) -> None:
    """EIO on writes: who has one on its way hears it or is closed; later ones are refused, reads go on."""
    server = on_disk("--maxmemory", "32mb", "--memtable-size", "1mb", "--wal-segment-size", "1mb")
    acknowledged = 0
    with server.wire(timeout_s=60) as wire, contextlib.suppress(Closed, ConnectionError):
        fill(wire, 2000, 1000, "kept:")
        disk.set(write_errno=errno.EIO)
        while wire.raw("SET", f"more:{acknowledged}", "v" * 1000) == b"+OK\r\n":
            acknowledged += 1
            assert acknowledged < 100_000

    def refused() -> bool:
        with contextlib.suppress(Closed, ConnectionError), server.wire(timeout_s=60) as wire:
            return wire.raw("SET", "refused", "v").startswith(b"-MISCONF")
        return False

    assert settle(refused)
    with server.wire(timeout_s=60) as wire:
        assert wire("STRLEN", "kept:7") == 1000
        disk.set(write_errno=0)
    server.kill()
    server.start(environment=disk.environment)
    with server.wire(timeout_s=60) as wire:
        assert wire("EXISTS", *(f"more:{n}" for n in range(acknowledged))) == acknowledged
        assert wire("EXISTS", *(f"kept:{n}" for n in range(2000))) == 2000
