"""Time, handed in: whoever needs it takes a Clock, and tests give one that they move.

Wall time is for what outlives the process (expiry, INFO); monotonic time is for durations.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now_ms(self) -> int:
        """Return the wall time in ms since 1970."""

    def mono_ns(self) -> int:
        """Return a time in ns that only moves forward, from an unknown start."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Return the wall time in ms since 1970."""
        return time.time_ns() // 1_000_000

    def mono_ns(self) -> int:
        """Return a time in ns that only moves forward."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        """Return the wall time that was set."""
        return self.ms

    def mono_ns(self) -> int:
        """Return the same time in ns."""
        return self.ms * 1_000_000

    def advance(self, ms: int) -> None:
        """Move both times forward."""
        self.ms += ms
