"""Memory stays within its budget whatever the data size."""

import time
from collections.abc import Callable

import pytest

from harness.process import Server

MIB = 1 << 20


def load(server: Server, count: int, size: int) -> None:
    """Set count keys of size bytes in no order, in pipelined MSETs."""
    stride = 7_368_787
    with server.wire(timeout_s=300) as wire:
        value = "v" * size
        for at in range(0, count, 500):
            names = (f"key:{n * stride % count:012d}" for n in range(at, min(at + 500, count)))
            assert wire("MSET", *(x for name in names for x in (name, value))) == "OK"


def test_more_than_memory(new_server: Callable[..., Server]) -> None:
    """400 MB of data under a budget of 64 MB: at most 150 MB and two bytes a key more."""
    server = new_server("--maxmemory", "64mb")
    count = 400_000
    load(server, count, 1000)
    with server.wire(timeout_s=60) as wire:
        for n in range(0, count, 397):
            assert wire("STRLEN", f"key:{n:012d}") == 1000
        assert wire("DBSIZE") == count
    peak = server.resident_peak_bytes()
    print(f"at most {peak / MIB:.0f} MiB resident")
    assert peak < 64 * MIB + 150_000_000 + 2 * count


def test_large_values_do_not_pile_up(new_server: Callable[..., Server]) -> None:
    """Ten values of 60 MB written and read: memory is that of one or two at a time."""
    # The share of clients' buffers is of maxmemory, and would not hold one such value.
    server = new_server("--maxmemory", "64mb", "--maxmemory-clients", "200mb")
    value = b"v" * 60_000_000
    with server.wire(timeout_s=120) as wire:
        for n in range(10):
            assert wire("SET", f"big{n}", value) == "OK"
        for n in range(10):
            assert wire("GET", f"big{n}") == value
    assert server.resident_peak_bytes() < 64 * MIB + 150_000_000 + 3 * len(value)


def test_large_values_are_written_about_twice(new_server: Callable[..., Server]) -> None:
    """10 MB values cost at most 2.1 times their bytes over their life."""
    server = new_server()
    total = 0
    with server.wire(timeout_s=120) as wire:
        before = written_bytes(server)
        for n in range(20):
            wire("SET", f"big{n % 5}", b"v" * 10_000_000)
            total += 10_000_000
        wire("SAVE")
        ratio = (written_bytes(server) - before) / total
    print(f"{ratio:.2f} bytes written a byte of value")
    assert ratio <= 2.1


def written_bytes(server: Server) -> int:
    """What the process has caused to be written, the page cache's part included."""
    with open(f"/proc/{server.pid}/io") as file:
        fields = dict(line.split(": ") for line in file.read().splitlines())
    return max(int(fields["wchar"]), int(fields["write_bytes"]))


@pytest.mark.soak
def test_ten_million_keys(new_server: Callable[..., Server]) -> None:
    """10 million keys of 100 B with the default budget: under 700 MB, also after reading and a restart."""
    server = new_server()
    count = 10_000_000
    load(server, count, 100)
    with server.wire(timeout_s=600) as wire:
        for n in range(0, count, 101):
            assert wire("STRLEN", f"key:{n:012d}") == 100
        assert wire("DBSIZE") == count
        print(f"at most {server.resident_peak_bytes() / 1e6:.0f} MB resident")
        assert server.resident_peak_bytes() < 700_000_000
    server.kill()
    begin = time.monotonic()
    server.start()
    print(f"opened after {time.monotonic() - begin:.2f} s")
    with server.wire(timeout_s=600) as wire:
        assert wire("DBSIZE") == count
    assert server.resident_peak_bytes() < 700_000_000
