"""What took long: the entries behind SLOWLOG, and the events behind LATENCY. Bounded, newest first to come
out.

Secrets never get in: entries are redacted and cut before they are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

ENTRIES_MAX = 10_000
ARGUMENTS_MAX = 32
ARGUMENT_SIZE_MAX = 128
SAMPLES_MAX = 160
EVENTS_MAX = 64
REDACTED = b"(redacted)"
SECRET_DIRECTIVES = (
    b"requirepass",
    b"masterauth",
    b"masteruser",
    b"tls-key-file-pass",
    b"tls-client-key-file-pass",
)


def redact(args: Sequence[bytes]) -> list[bytes]:
    """Return the arguments of a command without passwords in them."""
    found = list(args)
    name = found[0].lower() if found else b""
    if name == b"auth":
        found[1:] = [REDACTED] * (len(found) - 1)
    elif name == b"hello":
        for at, word in enumerate(args[2:], 2):
            if word.lower() == b"auth":
                found[at + 1 : at + 3] = [REDACTED] * len(found[at + 1 : at + 3])
                break
    elif name == b"config" and len(found) > 1 and found[1].lower() == b"set":
        for at in range(2, len(found) - 1, 2):
            if found[at].lower() in SECRET_DIRECTIVES:
                found[at + 1] = REDACTED
    return found


def shorten(args: Sequence[bytes], count: int, sizes: Sequence[int]) -> list[bytes]:
    """Return arguments as SLOWLOG shows them: at most 32, of at most 128 bytes.

    Args:
        args: the first of them, each perhaps cut already.
        count: how many there were.
        sizes: the full size of each of args.
    """
    shown = []
    for arg, size in list(zip(args, sizes, strict=True))[:ARGUMENTS_MAX]:
        cut = size - ARGUMENT_SIZE_MAX
        shown.append(arg if cut <= 0 else arg[:ARGUMENT_SIZE_MAX] + b"... (%d more bytes)" % cut)
    if count > ARGUMENTS_MAX:
        shown[ARGUMENTS_MAX - 1 :] = [b"... (%d more arguments)" % (count - ARGUMENTS_MAX + 1)]
    return shown


@dataclass(frozen=True)
class SlowEntry:
    """One slow command."""

    id: int
    at_s: int
    us: int
    args: list[bytes]
    address: str
    name: str


class SlowJournal:
    """The latest slow commands."""

    def __init__(self) -> None:
        self._entries: deque[SlowEntry] = deque()
        self._next_id = 0

    def add(self, at_ms: int, us: int, args: list[bytes], address: str, name: str, keep: int) -> None:
        """Keep a command, and at most `keep` in all.

        Args:
            at_ms: wall time of its start.
            us: how long it ran.
            args: redacted and shortened.
            address: of the client, ip:port.
            name: of the client.
            keep: slowlog-max-len.
        """
        self._entries.appendleft(SlowEntry(self._next_id, at_ms // 1000, us, args, address, name))
        self._next_id += 1
        while len(self._entries) > min(keep, ENTRIES_MAX):
            self._entries.pop()

    def latest(self, count: int) -> list[SlowEntry]:
        """Return up to count entries, newest first; -1: all."""
        return list(self._entries)[: count if count >= 0 else None]

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget the entries; ids go on."""
        self._entries.clear()


class LatencyJournal:
    """The latest times of each event, in ms."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[int, int]]] = {}
        self._longest: dict[str, int] = {}

    def add(self, event: str, at_ms: int, ms: int) -> None:
        """Keep a sample; within one second only the longest counts."""
        if event not in self._samples and len(self._samples) >= EVENTS_MAX:
            return
        samples = self._samples.setdefault(event, deque(maxlen=SAMPLES_MAX))
        at_s = at_ms // 1000
        if samples and samples[-1][0] == at_s:
            ms = max(ms, samples.pop()[1])
        samples.append((at_s, ms))
        self._longest[event] = max(ms, self._longest.get(event, 0))

    def events(self) -> list[str]:
        """Return the names of events that happened, sorted."""
        return sorted(self._samples)

    def history(self, event: str) -> list[tuple[int, int]]:
        """Return (second, ms) of an event, oldest first."""
        return list(self._samples.get(event, ()))

    def longest(self, event: str) -> int:
        """Return the longest time of an event, in ms."""
        return self._longest.get(event, 0)

    def reset(self, events: Sequence[str]) -> int:
        """Forget events, all if none is named; return how many there were."""
        names = [event for event in (events or self.events()) if event in self._samples]
        for event in dict.fromkeys(names):
            del self._samples[event], self._longest[event]
        return len(dict.fromkeys(names))
