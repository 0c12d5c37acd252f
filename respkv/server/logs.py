"""The log: lines on standard error or in a file that can be rotated.

    1234 2026-01-31 12:00:00.123 notice   the line

Levels are Redis's: debug, verbose, notice, warning.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TextIO

from respkv.errors import StartError

LEVELS = ("debug", "verbose", "notice", "warning")
TEXT_MAX = 4000


class Log:
    """Where lines go."""

    def __init__(self, path: str, level: str) -> None:
        """Open the log.

        Args:
            path: of the file; empty: standard error.
            level: the least that is written.

        Raises:
            StartError: the file cannot be opened.
        """
        self._path = path
        self._file: TextIO = sys.stderr
        self.set_level(level)
        self.reopen()

    def set_level(self, level: str) -> None:
        """Write nothing below this level."""
        self._least = LEVELS.index(level)

    def reopen(self) -> None:
        """Open the file again, after it was moved away.

        Raises:
            StartError: it cannot be opened; the old one goes on.
        """
        if not self._path:
            return
        try:
            file = open(self._path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        except OSError as error:
            raise StartError(f"logfile: cannot open {self._path}: {error.strerror}") from None
        old, self._file = self._file, file
        if old is not sys.stderr:
            old.close()

    def close(self) -> None:
        """Close the file; later lines go to standard error."""
        if self._file is not sys.stderr:
            self._file.close()
        self._file = sys.stderr

    def write(self, level: str, text: str) -> None:
        """Write a line. A log that cannot be written is no reason to stop."""
        if LEVELS.index(level) < self._least:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        line = text[:TEXT_MAX].replace("\n", "\n    ")
        self.show(f"{os.getpid()} {stamp}.{int(now * 1000) % 1000:03} {level:8} {line}")

    def show(self, text: str) -> None:
        """Write text as it is: the start-up screen."""
        with contextlib.suppress(OSError):
            print(text, file=self._file, flush=True)

    def notice(self, text: str) -> None:
        """Write what an operator wants to know."""
        self.write("notice", text)

    def warning(self, text: str) -> None:
        """Write what an operator has to know."""
        self.write("warning", text)
