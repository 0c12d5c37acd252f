"""Counters of what runs in Python, and rates of the whole node. C counts its own commands."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

ERRORS_MAX = 128
SAMPLES_MAX = 16
OTHER_ERRORS = "OTHER"


@dataclass
class Figures:
    """How a command did, of the shape of CommandFigures."""

    name: str
    calls: int = 0
    ns: int = 0
    rejected: int = 0
    failed: int = 0


class Statistics:
    """Counters since the start, or since CONFIG RESETSTAT."""

    def __init__(self) -> None:
        self.commands: dict[str, Figures] = {}
        self.errors: dict[str, int] = {}
        self._samples: deque[tuple[int, int, int, int]] = deque(maxlen=SAMPLES_MAX)

    def of(self, name: str) -> Figures:
        """Return the counters of a command, to be changed."""
        figures = self.commands.get(name)
        if figures is None:
            figures = self.commands[name] = Figures(name)
        return figures

    def count_error(self, text: str) -> None:
        """Count an error reply by its first word."""
        code = text.split(" ", 1)[0]
        if code not in self.errors and len(self.errors) >= ERRORS_MAX:
            code = OTHER_ERRORS
        self.errors[code] = self.errors.get(code, 0) + 1

    def sample(self, mono_ns: int, commands: int, bytes_in: int, bytes_out: int) -> None:
        """Remember totals, to derive rates from; about ten times a second."""
        self._samples.append((mono_ns, commands, bytes_in, bytes_out))

    def rates(self) -> tuple[float, float, float]:
        """Return commands, bytes in and bytes out a second, over the last samples."""
        if len(self._samples) < 2:
            return 0.0, 0.0, 0.0
        first, last = self._samples[0], self._samples[-1]
        seconds = (last[0] - first[0]) / 1e9
        if seconds <= 0:
            return 0.0, 0.0, 0.0
        commands, bytes_in, bytes_out = (max(last[i] - first[i], 0) / seconds for i in (1, 2, 3))
        return commands, bytes_in, bytes_out

    def reset(self) -> None:
        """Set everything to zero."""
        self.commands.clear()
        self.errors.clear()
        self._samples.clear()
