"""The engine alone against RocksDB: our C driver against db_bench, the same workloads, twice.

Once against db_bench's defaults (no filter, 8 MiB of block cache, and as much for us), once with a 10-bit
filter and 256 MiB of cache on both sides. No compression, 16 B keys, 64 MiB memtables on both sides.
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.report import Row, machine, publish, table

ROOT = Path(__file__).resolve().parents[2]
DRIVER = ROOT / "build" / "native" / "plain" / "bench_db"
CACHE_BYTES = {False: 8 << 20, True: 256 << 20}
MEMTABLE_BYTES = 64 << 20
FIGURE = re.compile(r"^(\w+)\s+:\s+([\d.]+) micros/op\s+(\d+) ops/sec", re.MULTILINE)

# Goals against the defaults, and against an equal filter and cache.
GOALS = {
    "fillseq": (2.0, 1.2),
    "fillrandom": (2.0, 1.2),
    "overwrite": (2.0, 1.2),
    "readrandom": (2.0, 1.2),
    "readmissing": (2.0, 1.2),
    "readseq": (1.0, 1.0),
    "readwhilewriting": (1.0, 1.0),
    "fillsync": (1.0, 1.0),
}
# One directory each: a fill begins anew, the reads follow the fill that stands before them.
SEQUENTIAL = ["fillseq", "readseq"]
RANDOM = ["fillrandom", "overwrite", "readrandom", "readmissing", "readwhilewriting"]
SYNCED = ["fillsync"]
SYNCED_WRITES = 2000


@dataclass
class Run:
    """What one process did."""

    rates: dict[str, float]
    written_bytes: int
    stored_bytes: int


def run(command: list[str], directory: Path) -> Run:
    """Run a driver in a fresh directory; rates in operations a second, bytes as the kernel counted them."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read().replace("\r", "\n")
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {child.returncode}\n{printed[-2000:]}")
    rates = {name: float(rate) for name, _, rate in FIGURE.findall(printed)}
    stored = sum(p.stat().st_blocks * 512 for p in directory.rglob("*") if p.is_file())
    return Run(rates, usage.ru_oublock * 512, stored)


def common(names: list[str], count: int, size: int, directory: Path, *, equal: bool) -> list[str]:
    """The flags that both drivers take."""
    flags = [f"--benchmarks={','.join(names)}", f"--num={count}", f"--value_size={size}", "--key_size=16"]
    flags += [f"--write_buffer_size={MEMTABLE_BYTES}", f"--cache_size={CACHE_BYTES[equal]}"]
    return [*flags, "--seed=1", f"--db={directory}"]


def rocksdb(names: list[str], count: int, size: int, directory: Path, *, equal: bool) -> list[str]:
    """db_bench's command line."""
    quiet = ["--compression_type=none", "--stats_interval=1000000000"]
    command = ["db_bench", *common(names, count, size, directory, equal=equal), *quiet]
    return [*command, "--bloom_bits=10"] if equal else command


def ours(names: list[str], count: int, size: int, directory: Path, *, equal: bool) -> list[str]:
    """Our driver's command line; it takes db_bench's names."""
    command = [str(DRIVER), *common(names, count, size, directory, equal=equal), "--compression=0"]
    # By itself the driver would write a thousandth of --num in fillsync; RocksDB 7.8 writes all of it.
    return [*command, f"--writes={count}"] if names == SYNCED else command


def measure(count: int, size: int, rounds: int, scratch: Path) -> tuple[list[Row], list[str]]:
    """All workloads at one data size, under both settings, in turn; bytes of round one."""
    label = f"{count // 1_000_000} M x {size} B"
    settings = {False: "defaults", True: "filter and cache equal"}
    rows = {
        (name, equal): Row(f"{name}, {label}, {setting}", GOALS[name][equal])
        for equal, setting in settings.items()
        for name in GOALS
    }
    amounts: list[str] = []
    for _ in range(rounds):
        for names in (SEQUENTIAL, RANDOM, SYNCED):
            writes = SYNCED_WRITES if names == SYNCED else count
            for equal in settings:
                mine = run(ours(names, writes, size, scratch / "ours", equal=equal), scratch / "ours")
                theirs = run(rocksdb(names, writes, size, scratch / "peer", equal=equal), scratch / "peer")
                for name in names:
                    rows[name, equal].ours.append(mine.rates[name])
                    rows[name, equal].peer.append(theirs.rates[name])
            if names != SYNCED:
                fills = 2 if "overwrite" in names else 1
                title = f"{'+'.join(names[:fills])}, {label}"
                amounts.append(compared(title, mine, theirs, fills * count * (16 + size)))
    return list(rows.values()), amounts[:2]


def compared(title: str, mine: Run, theirs: Run, user_bytes: int) -> str:
    """Bytes written a byte of the user's, and space at the end."""
    texts = [
        f"{who} {r.written_bytes / user_bytes:.2f} written a byte, {r.stored_bytes / 1e6:,.0f} MB stored"
        for who, r in (("respkv", mine), ("RocksDB", theirs))
    ]
    return f"{title}: {'; '.join(texts)}"


def main(rounds: int) -> bool:
    """Measure, publish; whether every goal was met."""
    rows: list[Row] = []
    amounts: list[str] = []
    with tempfile.TemporaryDirectory(prefix="respkv-bench-") as scratch:
        for count in (1_000_000, 5_000_000):
            for size in (100, 1000):
                more, figures = measure(count, size, rounds, Path(scratch))
                rows += more
                amounts += figures
                print("\n".join(" | ".join(r.cells()) for r in more), flush=True)
    examples = {
        who: " ".join(command(["..."], 1_000_000, 100, Path("DIR"), equal=True))
        for who, command in (("RocksDB", rocksdb), ("ours", ours))
    }
    remarks = [
        machine(),
        "RocksDB as Debian builds it; its db_bench warns that assertions are on",
        *(f"{who}: `{line.replace(str(DRIVER), 'bench_db')}`" for who, line in examples.items()),
        f"defaults: --cache_size={CACHE_BYTES[False]} on both sides, RocksDB without --bloom_bits",
        f"medians of {rounds} rounds, ours and both of RocksDB's in turn",
        *amounts,
    ]
    publish("engine", table("The engine against RocksDB", "RocksDB", "ops/s", rows, remarks))
    return all(r.ratio >= (r.goal or 0) for r in rows)
