"""kill -9 under load, again and again: every acknowledged write is there, nothing is half there."""

import os
import random
import threading
import time
from collections.abc import Callable

import pytest

from crash.oracle import Writer
from harness.process import Server

NewServer = Callable[..., Server]

WRITERS = 4
# Small memtables and tables, so that a second of writing meets flushes, compactions and log segments ending.
SMALL = [
    "--maxmemory",
    "64mb",
    "--memtable-size",
    "1mb",
    "--table-size",
    "1mb",
    "--level-size",
    "4mb",
    "--wal-segment-size",
    "2mb",
]


def cycle(server: Server, writers: list[Writer], seconds: float) -> None:
    """Write for a while, kill, start, compare."""
    stop = threading.Event()
    threads = [threading.Thread(target=w.run, args=(server.port, stop)) for w in writers]
    for t in threads:
        t.start()
    time.sleep(seconds)
    server.kill()
    stop.set()
    for t in threads:
        t.join()
    assert [w.fault for w in writers if w.fault] == []
    server.start()
    with server.wire() as wire:
        faults = [line for w in writers for line in w.check(wire)]
        keys = sum(key.states[0] is not None for w in writers for key in w.keys.values())
        assert not faults, "\n".join(faults[:20])
        assert wire("DBSIZE") == keys


def kill_cycles(server: Server, seed: int, count: int) -> int:
    """So many cycles on one store; how many writes were acknowledged."""
    chance = random.Random(seed)
    writers = [Writer(n, seed) for n in range(WRITERS)]
    for nth in range(count):
        try:
            cycle(server, writers, chance.uniform(0.02, 0.6))
        except AssertionError as fault:
            raise AssertionError(f"SEED={seed}, cycle {nth}: {fault}") from fault
    return sum(w.acknowledged for w in writers)


@pytest.mark.parametrize(("policy", "count"), [("always", 7), ("everysec", 7), ("no", 6)])
def test_kill_under_load(policy: str, count: int, new_server: NewServer, seed: int) -> None:
    server = new_server("--appendfsync", policy, *SMALL)
    acknowledged = kill_cycles(server, seed, count)
    print(f"{policy}: {acknowledged} writes acknowledged in {count} cycles")
    assert acknowledged > count * 100


def test_kill_while_starting(new_server: NewServer, seed: int) -> None:
    """Killed at any moment of recovery, again and again, the next start still has everything."""
    chance = random.Random(seed)
    server = new_server("--appendfsync", "everysec", *SMALL)
    writers = [Writer(n, seed) for n in range(2)]
    for _ in range(3):
        cycle(server, writers, 0.4)
        for _ in range(4):
            server.kill()
            server.spawn()
            time.sleep(chance.uniform(0.0, 0.5))
        server.kill()
        server.start()
        with server.wire() as wire:
            assert [line for w in writers for line in w.check(wire)] == []


def test_unmapped_log(new_server: NewServer, seed: int) -> None:
    """The same promises where the log cannot be mapped."""
    server = new_server("--wal-mapped", "no", "--appendfsync", "everysec", *SMALL)
    assert kill_cycles(server, seed, 3) > 300


def test_open_after_a_kill_with_a_full_log(new_server: NewServer) -> None:
    """64 MiB of log: complete, and soon: the time is printed; the goal is 0.5 s on a quiet machine."""
    server = new_server("--memtable-size", "256mb", "--maxmemory", "2gb")
    count = 480_000
    with server.wire(timeout_s=60) as wire:
        for at in range(0, count, 1000):
            wire("MSET", *(x for n in range(at, at + 1000) for x in (f"key:{n}", "v" * 100)))
    server.kill()
    begin = time.monotonic()
    server.start()
    print(f"opened and answering after {time.monotonic() - begin:.2f} s")
    with server.wire(timeout_s=60) as wire:
        assert wire("DBSIZE") == count
        assert wire("GET", f"key:{count - 1}") == b"v" * 100
    print(server.printed()[-500:])


@pytest.mark.soak
@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_kill_for_hours(policy: str, new_server: NewServer, seed: int) -> None:
    hours = float(os.environ.get("HOURS", "1")) / 3
    server = new_server("--appendfsync", policy, *SMALL)
    end = time.monotonic() + hours * 3600
    rounds = 0
    while time.monotonic() < end:
        kill_cycles(server, seed + rounds, 20)
        rounds += 1
        with server.wire() as wire:
            wire("FLUSHALL")
        print(f"{policy}: {rounds * 20} kills", flush=True)
