"""Through Python: respkv.storage against rocksdict, plyvel (LevelDB) and lmdb, in one process after another.

Each store in a process of its own; no store syncs before it answers. Keys of 16 B, values of 100 B.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from bench.report import Row, machine, publish, table

COUNT = 300_000
BATCH = 100
READS = 100_000
VALUE = b"v" * 100
STORES = ("rocksdict", "plyvel", "lmdb")


class Subject(Protocol):
    """What is measured of a store."""

    def put_batch(self, pairs: list[tuple[bytes, bytes]]) -> None: ...
    def get(self, key: bytes) -> bytes | None: ...
    def scan(self) -> Iterator[tuple[bytes, bytes]]: ...


class Respkv:
    def __init__(self, directory: str) -> None:
        from respkv.native import SYNC_NO, Store, StoreOptions

        self.store = Store.open(directory, StoreOptions(sync_policy=SYNC_NO))

    def put_batch(self, pairs: list[tuple[bytes, bytes]]) -> None:
        from respkv.storage.batch import BatchWriter

        batch = BatchWriter(self.store.tick(), 0)
        for key, value in pairs:
            batch.put(key, value)
        self.store.write(batch.encode())

    def get(self, key: bytes) -> bytes | None:
        cell = self.store.get(key)
        return cell.payload if cell else None

    def scan(self) -> Iterator[tuple[bytes, bytes]]:
        view = self.store.view()
        cursor = view.iterate()
        while chunk := cursor.chunk(1 << 18):
            for entry in chunk:
                yield entry.key, entry.payload
        cursor.close()
        view.release()


class Rocksdict:
    def __init__(self, directory: str) -> None:
        import rocksdict

        self.module: Any = rocksdict
        self.db = rocksdict.Rdict(directory, rocksdict.Options(raw_mode=True))

    def put_batch(self, pairs: list[tuple[bytes, bytes]]) -> None:
        batch = self.module.WriteBatch(raw_mode=True)
        for key, value in pairs:
            batch.put(key, value)
        self.db.write(batch)

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self.db.get(key)
        return value

    def scan(self) -> Iterator[tuple[bytes, bytes]]:
        yield from self.db.items()


class Plyvel:
    def __init__(self, directory: str) -> None:
        import plyvel

        self.db: Any = plyvel.DB(directory, create_if_missing=True, bloom_filter_bits=10)

    def put_batch(self, pairs: list[tuple[bytes, bytes]]) -> None:
        with self.db.write_batch() as batch:
            for key, value in pairs:
                batch.put(key, value)

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self.db.get(key)
        return value

    def scan(self) -> Iterator[tuple[bytes, bytes]]:
        yield from self.db.iterator()


class Lmdb:
    def __init__(self, directory: str) -> None:
        import lmdb

        self.db: Any = lmdb.open(directory, map_size=4 << 30, sync=False, metasync=False)

    def put_batch(self, pairs: list[tuple[bytes, bytes]]) -> None:
        with self.db.begin(write=True) as change:
            for key, value in pairs:
                change.put(key, value)

    def get(self, key: bytes) -> bytes | None:
        with self.db.begin(buffers=False) as reader:
            value: bytes | None = reader.get(key)
            return value

    def scan(self) -> Iterator[tuple[bytes, bytes]]:
        with self.db.begin() as reader:
            yield from reader.cursor()


SUBJECTS: dict[str, Callable[[str], Subject]] = {
    "respkv": Respkv,
    "rocksdict": Rocksdict,
    "plyvel": Plyvel,
    "lmdb": Lmdb,
}


def workloads(subject: Subject) -> Iterator[tuple[str, float]]:
    """Run all workloads on an empty store: name, operations a second."""
    chance = random.Random(1)
    keys = [b"%016d" % n for n in range(COUNT)]
    shuffled = chance.sample(keys, COUNT)

    def timed(name: str, count: int, work: Callable[[], object]) -> tuple[str, float]:
        begin = time.perf_counter()
        work()
        return name, count / (time.perf_counter() - begin)

    def put(order: list[bytes], size: int) -> None:
        for at in range(0, len(order), size):
            subject.put_batch([(key, VALUE) for key in order[at : at + size]])

    yield timed(f"put, {BATCH} a batch, random", COUNT, lambda: put(shuffled, BATCH))
    yield timed("put, one by one, random", READS, lambda: put(shuffled[:READS], 1))
    yield timed("get, random", READS, lambda: [subject.get(key) for key in shuffled[:READS]])
    yield timed("get, missing", READS, lambda: [subject.get(key + b"x") for key in shuffled[:READS]])
    yield timed("scan of all", COUNT, lambda: sum(1 for _ in subject.scan()))


def measure_one(name: str) -> dict[str, float]:
    """Measure one store in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="respkv-bench-") as scratch:
        command = [sys.executable, "-m", "bench.stores", name, scratch + "/store"]
        tests = Path(__file__).resolve().parents[1]
        done = subprocess.run(command, cwd=tests, capture_output=True, text=True, check=True)
        shutil.rmtree(scratch + "/store", ignore_errors=True)
    pairs = (line.rsplit("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {workload: float(rate) for workload, rate in pairs}


def main(rounds: int) -> bool:
    """Measure and publish; there is no goal to miss."""
    rows: dict[tuple[str, str], Row] = {}
    for _ in range(rounds):
        mine = measure_one("respkv")
        for peer in STORES:
            for workload, rate in measure_one(peer).items():
                row = rows.setdefault((workload, peer), Row(f"{workload}, against {peer}"))
                row.peer.append(rate)
                row.ours.append(mine[workload])
    remarks = [
        machine(),
        f"{COUNT:,} keys of 16 B, values of 100 B, nobody syncs; medians of {rounds} rounds in turn",
    ]
    publish("stores", table("Through Python", "peer", "ops/s", list(rows.values()), remarks))
    return True


if __name__ == "__main__":
    for workload, rate in workloads(SUBJECTS[sys.argv[1]](sys.argv[2])):
        print(f"{workload}={rate}")
