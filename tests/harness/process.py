"""Real servers as child processes: ours and redis-server, on free loopback ports, each in its own directory.

A server counts as started when it answers PING; nothing here sleeps for luck. A child is ended by its own
pid only.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.wire import Closed, Wire

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0

OUR_SERVER = Path(sys.executable).parent / "respkv-server"
REDIS_SERVER = shutil.which("redis-server")
REDIS_CLI = shutil.which("redis-cli")


def free_port() -> int:
    """A loopback port that nobody listens on, and whose cluster port (+ 10000) is a port too."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = int(s.getsockname()[1])
        if port < 55_000:
            return port


class Server:
    """One server process, which may be stopped and started again on the same port and directory."""

    def __init__(self, command: list[str], directory: Path, port: int) -> None:
        self.command = command
        self.directory = directory
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.log = directory / f"server-{port}.log"
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        assert self.process
        return self.process.pid

    def spawn(self, *more: str, environment: dict[str, str] | None = None) -> None:
        """Start the process without waiting for it."""
        assert self.process is None, "already running"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, *more],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    def start(self, *more: str, environment: dict[str, str] | None = None) -> Self:
        """Start the process and wait until it answers."""
        self.spawn(*more, environment=environment)
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait until the server answers a PING.

        Raises:
            RuntimeError: it exited, or did not answer in time; with the end of what it printed.
        """
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            assert self.process
            if self.process.poll() is not None:
                raise RuntimeError(f"exit {self.process.returncode} at start:\n{self.printed()[-3000:]}")
            with contextlib.suppress(OSError, Closed), Wire(self.port, timeout_s=5) as wire:
                # Refused for want of a password is an answer too.
                if wire.raw("PING")[:4] in (b"+PON", b"-NOA", b"-DEN"):
                    return
            time.sleep(0.005)
        raise RuntimeError(f"no answer within {START_SECONDS_MAX} s:\n{self.printed()[-3000:]}")

    def printed(self) -> str:
        """All that the server has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait(self) -> int:
        """Wait for the end of the process; its exit status."""
        assert self.process
        status = self.process.wait(STOP_SECONDS_MAX)
        self.process = None
        return status

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process
        self.process.send_signal(number)

    def terminate(self) -> int:
        """SIGTERM, then its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.wait()

    def resident_bytes(self) -> int:
        """VmRSS."""
        return self._status_kib("VmRSS") * 1024

    def resident_peak_bytes(self) -> int:
        """VmHWM, the largest VmRSS so far."""
        return self._status_kib("VmHWM") * 1024

    def _status_kib(self, field: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise LookupError(field)

    def descriptors(self) -> int:
        """How many file descriptors the process has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wire(self, *, resp: int = 2, timeout_s: float = 20) -> Wire:
        """A new connection."""
        return Wire(self.port, resp=resp, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def respkv(directory: Path, *options: str, port: int | None = None) -> Server:
    """Our server, not started; options as on its command line."""
    port = port or free_port()
    data = directory / "data"
    command = [str(OUR_SERVER), "--port", str(port), "--dir", str(data), *options]
    return Server(command, directory, port)


def redis(directory: Path, *options: str, port: int | None = None) -> Server:
    """A redis-server without persistence unless options say so, not started."""
    assert REDIS_SERVER, "redis-server is not installed"
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    quiet = ["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]
    command = [REDIS_SERVER, "--port", str(port), "--dir", str(directory), *quiet, *options]
    return Server(command, directory, port)
