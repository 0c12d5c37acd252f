"""Ours against redis-server, with redis-benchmark: both alive, in turn, with the same fsync policy."""

import csv
import subprocess
import tempfile
from pathlib import Path

from bench.report import Row, machine, publish, table
from harness.process import REDIS_SERVER, Server, redis, respkv
from harness.wire import encode

MIB = 1 << 20
BENCHMARK = "redis-benchmark"


def benchmark(server: Server, *options: str) -> tuple[float, float, str]:
    """Run redis-benchmark once.

    Returns:
        Requests a second, the 99th percentile in ms, and the command line without the port.
    """
    command = [BENCHMARK, "-p", str(server.port), *options]
    done = subprocess.run([*command, "--csv"], capture_output=True, text=True, check=True, timeout=900)
    (row,) = csv.DictReader(line for line in done.stdout.splitlines() if line.startswith('"'))
    return float(row["rps"]), float(row["p99_latency_ms"]), " ".join([BENCHMARK, *options])


class Pair:
    """redis-server and ours, started alike, and the rows measured on them."""

    def __init__(self, directory: Path, policy: str, rounds: int) -> None:
        self.rounds = rounds
        # No rewrite of the log while measuring: it would only slow redis-server down.
        log = ["--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"]
        self.redis = redis(directory / "redis", *log).start()
        self.ours = respkv(directory / "respkv", "--appendfsync", policy).start()
        self.rows: list[Row] = []
        self.commands: list[str] = []

    def measure(self, name: str, goal: float | None, *options: str, scale: float = 1, note: str = "") -> None:
        """Add a row; scale turns requests a second into the table's unit."""
        row = Row(name, goal, note=note)
        for nth in range(self.rounds):
            turns = [(self.redis, row.peer, row.peer_p99_ms), (self.ours, row.ours, row.ours_p99_ms)]
            for server, figures, p99 in turns if nth % 2 == 0 else turns[::-1]:
                rate, p99_ms, command = benchmark(server, *options)
                figures.append(rate * scale)
                p99.append(p99_ms)
        self.rows.append(row)
        self.commands.append(command)
        print(f"   {' | '.join(row.cells())}", flush=True)

    def fill(self, count: int, size: int) -> None:
        """Every key that redis-benchmark will choose from, on both."""
        value = b"x" * size
        for server in (self.redis, self.ours):
            with server.wire(timeout_s=120) as wire:
                wire("FLUSHALL")
                for at in range(0, count, 2000):
                    numbers = range(at, min(at + 2000, count))
                    wire.send(b"".join(encode("SET", b"key:%012d" % n, value) for n in numbers))
                    assert all(wire.reply() == b"+OK\r\n" for _ in numbers)

    def close(self) -> None:
        """End both."""
        self.redis.kill()
        self.ours.kill()


def everyday(directory: Path, rounds: int) -> list[tuple[str, Pair]]:
    """100 B values on 100,000 random keys, and the same with every write synced."""
    pair = Pair(directory / "everysec", "everysec", rounds)
    common = ["-c", "50", "-d", "100", "-r", "100000"]
    goals = {"set": {1: 1.0, 16: 1.8, 64: 2.5}, "get": {1: 1.0, 16: 1.3, 64: 1.8}}
    requests = {1: "150000", 16: "1500000", 64: "3000000"}
    pair.fill(100_000, 100)
    for test, by_depth in goals.items():
        for depth, goal in by_depth.items():
            options = [*common, "-n", requests[depth], "-P", str(depth), "-t", test]
            pair.measure(f"{test.upper()} -P {depth}", goal, *options)
    for test in ("incr", "mset"):
        for depth, few in ((1, "150000"), (16, "600000")):
            options = [*common, "-n", few, "-P", str(depth), "-t", test]
            pair.measure(f"{test.upper()} -P {depth}", 1.0, *options)
    pair.close()
    synced = Pair(directory / "always", "always", rounds)
    synced.measure("SET, appendfsync always", 1.5, *common, "-n", "30000", "-t", "set")
    synced.measure("SET -P 16, appendfsync always", 1.5, *common, "-n", "200000", "-P", "16", "-t", "set")
    synced.close()
    return [("everysec", pair), ("always", synced)]


def larger(directory: Path, rounds: int) -> list[tuple[str, Pair]]:
    """1 KB values on 2 million keys, more than the memtables hold; and values of 10 MB."""
    pair = Pair(directory / "larger", "everysec", rounds)
    pair.fill(2_000_000, 1024)
    common = ["-c", "50", "-d", "1024", "-r", "2000000"]
    for test in ("set", "get"):
        for depth, requests, goal in ((1, "100000", 0.9), (16, "500000", 1.0)):
            options = [*common, "-n", requests, "-P", str(depth), "-t", test]
            pair.measure(f"{test.upper()} 1 KB of 2 M keys -P {depth}", goal, *options)
    pair.close()
    huge = Pair(directory / "huge", "everysec", rounds)
    common = ["-c", "4", "-d", "10000000", "-r", "10", "-n", "60"]
    huge.measure("SET 10 MB, MB/s", 0.7, *common, "-t", "set", scale=10)
    huge.measure("GET 10 MB, MB/s", 0.7, *common, "-t", "get", scale=10)
    huge.close()
    return [("everysec", pair), ("everysec", huge)]


def main(rounds: int) -> bool:
    """Measure, publish; whether every goal was met."""
    assert REDIS_SERVER, "redis-server is not installed"
    with tempfile.TemporaryDirectory(prefix="respkv-bench-") as scratch:
        measured = [*everyday(Path(scratch), rounds), *larger(Path(scratch), rounds)]
    version = subprocess.run([REDIS_SERVER, "--version"], capture_output=True, text=True, check=True)
    remarks = [
        f"{version.stdout.strip()}; {machine()}",
        "both with the append-only log on and the same appendfsync, on the same disk; medians of "
        f"{rounds} rounds in turn; a ratio is the median of the rounds' ratios",
    ]
    for policy, pair in measured:
        remarks += [f"`{command}` (appendfsync {policy})" for command in pair.commands]
    rows = [row for _, pair in measured for row in pair.rows]
    publish("servers", table("Against redis-server", "redis-server", "req/s", rows, remarks))
    slower = [r.name for r in rows if r.p99_ratio > 1]
    if slower:
        print("p99 worse than redis-server's: " + ", ".join(slower))
    return all(r.goal is None or r.ratio >= r.goal for r in rows)
