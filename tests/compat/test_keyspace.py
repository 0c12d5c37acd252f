"""Laws of the key space: SCAN's guarantee, DBSIZE's exactness, whole-store commands beside others."""

import itertools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.process import Server
from harness.wire import Wire

NewServer = Callable[..., Server]


def fill(wire: Wire, count: int, prefix: str = "key:", value: str = "v") -> None:
    """Set many keys, a thousand a command."""
    for at in range(0, count, 1000):
        pairs = [x for n in range(at, min(at + 1000, count)) for x in (f"{prefix}{n}", value)]
        assert wire("MSET", *pairs) == "OK"


def scan(wire: Wire, *options: str | int, between: Callable[[], object] = lambda: None) -> list[bytes]:
    """A whole iteration; between runs after each call."""
    found: list[bytes] = []
    cursor: Any = b"0"
    for _ in range(1_000_000):
        cursor, keys = wire("SCAN", cursor, *options)
        found += keys
        between()
        if cursor == b"0":
            return found
    raise AssertionError("SCAN does not end")


@pytest.mark.parametrize("count", [1, 7, 100, 5000])
def test_scan_finds_every_key_that_stays(count: int, ours: Server, seed: int) -> None:
    """Keys there from beginning to end are found; those never there are not; the others may be either."""
    chance = random.Random(seed)
    with ours.wire() as wire, ours.wire() as writer:
        writer("FLUSHALL")
        fill(writer, 3000, "stay:")
        fill(writer, 3000, "go:")
        appeared = {b"go:%d" % n for n in range(3000)}

        def disturb() -> None:
            for _ in range(chance.randrange(0, 8 if count < 100 else 400)):
                name = b"go:%d" % chance.randrange(6000)
                if chance.random() < 0.5:
                    writer("DEL", name)
                else:
                    appeared.add(name)
                    writer("SET", name, chance.randbytes(20))
            writer("SET", b"stay:%d" % chance.randrange(3000), "changed")

        stay = {b"stay:%d" % n for n in range(3000)}
        found = scan(wire, "COUNT", count if count > 7 else count * 50, between=disturb)
        assert stay <= set(found)
        assert set(found) <= stay | appeared


def test_scan_goes_on_after_a_restart(new_server: NewServer) -> None:
    server = new_server()
    with server.wire() as wire:
        fill(wire, 5000)
        cursor, found = wire("SCAN", 0, "COUNT", 1000)
    server.kill()
    server.start()
    with server.wire() as wire:
        while cursor != b"0":
            cursor, keys = wire("SCAN", cursor, "COUNT", 1000)
            found += keys
    assert set(found) == {b"key:%d" % n for n in range(5000)}


def test_scan_with_odd_keys(ours: Server) -> None:
    """Empty, binary, equal but for the end, long: each is found once when nothing changes."""
    names = [b"", b"\x00", b"\x00\x00", b"\xff", b"\xff\xff", b"a", b"a\x00", b"{t}", b"{t}a", b"x" * 60_000]
    with ours.wire() as wire:
        wire("FLUSHALL")
        for name in names:
            wire("SET", name, "v")
        for count in (1, 2, 3, 100):
            assert sorted(scan(wire, "COUNT", count)) == sorted(names)


def test_scan_match_and_type(ours: Server) -> None:
    with ours.wire() as wire:
        wire("FLUSHALL")
        fill(wire, 2000)
        assert len(set(scan(wire, "MATCH", "key:1*", "COUNT", 100))) == 1111
        assert len(set(scan(wire, "TYPE", "string", "COUNT", 100))) == 2000
        assert scan(wire, "TYPE", "list", "COUNT", 100) == []
        assert scan(wire, "MATCH", "nothing*") == []


def test_scans_of_databases_do_not_mix(ours: Server) -> None:
    with ours.wire() as wire:
        wire("FLUSHALL")
        for database in (0, 1, 2, 9):
            wire("SELECT", database)
            fill(wire, 100, f"db{database}:")
        for database in (0, 1, 2, 9):
            wire("SELECT", database)
            assert set(scan(wire)) == {f"db{database}:{n}".encode() for n in range(100)}
            assert wire("DBSIZE") == 100


def test_dbsize_is_exact(new_server: NewServer, seed: int) -> None:
    """After every sort of change, overwriting, expiring, renaming, moving, and after restarts."""
    chance = random.Random(seed)
    server = new_server("--memtable-size", "1mb")
    for _ in range(4):
        with server.wire() as wire:
            for _ in range(40):
                names = [f"k{chance.randrange(3000)}" for _ in range(50)]
                kind = chance.randrange(8)
                if kind < 3:
                    wire("MSET", *(x for n in names for x in (n, "v" * chance.randrange(300))))
                elif kind == 3:
                    wire("DEL", *names)
                elif kind == 4:
                    for name in names:
                        wire("SET", name, "v", "PX", chance.choice([1, 10, 100_000]))
                elif kind == 5:
                    for a, b in itertools.pairwise(names):
                        wire("RENAME", a, b)
                elif kind == 6:
                    for name in names:
                        wire("COPY", name, name + "'", "REPLACE")
                else:
                    for name in names:
                        wire("EXPIRE", name, chance.choice([-1, 1000]))
            # What is about to expire may do so between these two, hence once more.
            counts = set()
            for _ in range(3):
                counts.add((wire("DBSIZE"), len(wire("KEYS", "*"))))
                time.sleep(0.02)
            assert any(size == keys for size, keys in counts), counts
        server.kill()
        server.start()


def test_whole_store_commands_run_beside_others(new_server: NewServer) -> None:
    """KEYS, DBSIZE and FLUSHALL go piece by piece or elsewhere: other clients' commands run meanwhile.

    How long the others waited at most is printed; only that they ran is tested.
    """
    server = new_server()
    with server.wire(timeout_s=60) as wire:
        fill(wire, 300_000, value="v" * 50)
        everything = ("SCAN", 0, "COUNT", 300_000)
        for command in (("KEYS", "*9"), ("KEYS", "nothing"), ("DBSIZE",), everything, ("FLUSHALL",)):
            done = threading.Event()
            waits: list[float] = []
            other = server.wire(timeout_s=60)

            def watch(done: threading.Event = done, waits: list[float] = waits, other: Wire = other) -> None:
                with other:
                    while not done.is_set() or not waits:
                        begin = time.perf_counter()
                        assert other("PING") == "PONG"
                        waits.append(time.perf_counter() - begin)

            watcher = threading.Thread(target=watch)
            watcher.start()
            begin = time.perf_counter()
            wire(*command)
            took = time.perf_counter() - begin
            done.set()
            watcher.join()
            print(
                f"{command[0]:8} took {took * 1e3:6.1f} ms, others waited at most {max(waits) * 1e3:.1f} ms"
            )
            assert max(waits) < max(0.5 * took, 0.1), command
        assert wire("DBSIZE") == 0


def test_flushall_under_writes(ours: Server) -> None:
    """What is written after a FLUSHALL was answered stays; what was there before is gone."""
    with ours.wire() as wire, ours.wire() as writer:
        for n in range(20):
            fill(writer, 2000, f"old{n}:")
            assert wire("FLUSHALL") == "OK"
            writer("SET", "new", n)
            assert wire("GET", "new") == str(n).encode()
            assert wire("DBSIZE") == 1
            assert wire("KEYS", "*") == [b"new"]


def test_randomkey_reaches_every_key(ours: Server) -> None:
    with ours.wire() as wire:
        wire("FLUSHALL")
        fill(wire, 5)
        seen = {wire("RANDOMKEY") for _ in range(2000)}
        assert seen == {b"key:%d" % n for n in range(5)}


def test_expired_keys_are_gone_everywhere(ours: Server) -> None:
    with ours.wire() as wire:
        wire("FLUSHALL")
        wire("SET", "stays", "v")
        for n in range(100):
            wire("SET", f"k{n}", "v", "PX", 30)
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            wire("PING")
        assert wire("DBSIZE") == 1
        assert wire("KEYS", "*") == [b"stays"]
        assert scan(wire) == [b"stays"]
        assert {wire("RANDOMKEY") for _ in range(20)} == {b"stays"}
        assert wire("EXISTS", *(f"k{n}" for n in range(100))) == 0
