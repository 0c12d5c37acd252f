"""The process and the machine, as INFO and the metrics show them."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

from respkv.clock import Clock

STATUS = Path("/proc/self/status")
KIB = 1024


def _sizes() -> dict[str, int]:
    """The lines of /proc/self/status that are sizes, in bytes."""
    found = {}
    for line in STATUS.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB":
            found[name] = int(words[0]) * KIB
    return found


class ProcessHost:
    """Facts of this process."""

    def __init__(self, clock: Clock, run_id: str, build: str) -> None:
        """Note the start.

        Args:
            clock: tells the uptime.
            run_id: 40 hex digits, new with every start.
            build: how the C core was built.
        """
        self._clock = clock
        self._started_ns = clock.mono_ns()
        self._run_id = run_id
        self._build = build
        self._startup_bytes = _sizes()["VmRSS"]
        self._total_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def uptime_s(self) -> int:
        """Return the seconds since the start."""
        return (self._clock.mono_ns() - self._started_ns) // 1_000_000_000

    def figures(self) -> dict[str, str]:
        """Return facts by INFO's field names."""
        mine, children = (
            resource.getrusage(resource.RUSAGE_SELF),
            resource.getrusage(resource.RUSAGE_CHILDREN),
        )
        return {
            "os": f"{platform.system()} {platform.release()} {platform.machine()}",
            "arch_bits": "64" if sys.maxsize > 2**32 else "32",
            "gcc_version": platform.python_compiler().removeprefix("GCC "),
            "process_id": str(os.getpid()),
            "run_id": self._run_id,
            "uptime_s": str(self.uptime_s()),
            "executable": str(Path(sys.argv[0]).absolute()),
            "used_cpu_sys": f"{mine.ru_stime:.6f}",
            "used_cpu_user": f"{mine.ru_utime:.6f}",
            "used_cpu_sys_children": f"{children.ru_stime:.6f}",
            "used_cpu_user_children": f"{children.ru_utime:.6f}",
            "build": self._build,
        }

    def memory(self) -> dict[str, int]:
        """Return bytes: used and rss (resident), peak, at the start, and of the machine."""
        sizes = _sizes()
        resident = sizes["VmRSS"]
        return {
            "used": resident,
            "rss": resident,
            "peak": sizes["VmHWM"],
            "startup": self._startup_bytes,
            "total": self._total_bytes,
        }
