"""A server on a disk that misbehaves on command: faults.c, preloaded, and the page that steers it."""

import mmap
import os
import struct
import subprocess
from pathlib import Path

from harness.process import Server, respkv

SOURCE = Path(__file__).with_name("faults.c")
FIELDS = ("read_delay_ms", "write_errno", "sync_errno", "sync_delay_ms", "reads", "writes", "syncs")


class FaultyDisk:
    """The page, and servers on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.library = directory / "faults.so"
        compiler = [os.environ.get("CC", "gcc"), "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]
        subprocess.run(
            [*compiler, "-shared", "-fPIC", str(SOURCE), "-ldl", "-o", str(self.library)], check=True
        )
        path = directory / "page"
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self.page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.environment = {
            "LD_PRELOAD": str(self.library),
            "FAULTS_PAGE": str(path),
            "FAULTS_DIR": str(directory / "data"),
        }

    def server(self, *options: str) -> Server:
        """A server whose store lies on this disk, not started: start it with `environment`."""
        return respkv(self.directory, *options)

    def set(self, **values: int) -> None:
        """Steer: read_delay_ms, write_errno, sync_errno, sync_delay_ms; 0 is a sound disk."""
        for name, value in values.items():
            struct.pack_into("<I", self.page, 4 * FIELDS.index(name), value)

    def get(self, name: str) -> int:
        """A count: reads, writes or syncs."""
        (value,) = struct.unpack_from("<I", self.page, 4 * FIELDS.index(name))
        return int(value)
