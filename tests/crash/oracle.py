"""What a store must hold after a crash, kept by the clients that wrote to it.

Each writer is one connection with keys of its own, so that it alone knows their history. For each key it
keeps the states that the store may show: the last acknowledged one, and those sent after it that got no
answer. A crash may leave any of these, never an older one, and never half of a command.

    acknowledged   a  b  c           may be found: c, d, e
    sent           a  b  c  d  e
"""

import random
import threading
from collections import deque

from harness.wire import Argument, Closed, Wire, decode, encode

KEYS = 200
PIPELINE_MAX = 32
# A pair is always written by one MSET, so both halves must show the same write.
PAIRS = 20


class Key:
    """The possible states of one key: the acknowledged one first; None is absent."""

    def __init__(self) -> None:
        self.states: deque[bytes | None] = deque([None])

    def sent(self, state: bytes | None) -> None:
        """A command that makes this state is on its way."""
        self.states.append(state)

    def acknowledged(self) -> None:
        """The oldest command on its way was answered: what was before cannot come back."""
        self.states.popleft()

    def settle(self, state: bytes | None) -> None:
        """After a crash: what was found is what holds from now on."""
        self.states = deque([state])


class Writer:
    """One connection's keys and their histories; survives the server it writes to."""

    def __init__(self, number: int, seed: int) -> None:
        self.name = f"w{number}"
        self.random = random.Random(seed * 1000 + number)
        self.keys: dict[bytes, Key] = {}
        self.serial = 0
        self.acknowledged = 0
        self.fault: str | None = None

    def key(self, name: str) -> bytes:
        """A key name of this writer's."""
        full = f"{self.name}:{name}".encode()
        self.keys.setdefault(full, Key())
        return full

    def run(self, port: int, stop: threading.Event) -> None:
        """Write until told to stop or until the server is gone; self.fault says what went wrong otherwise."""
        try:
            with Wire(port) as wire:
                while not stop.is_set():
                    self._pipeline(wire)
        except (Closed, ConnectionError):
            pass
        except Exception as fault:
            self.fault = f"{self.name}: {fault!r}"

    def _pipeline(self, wire: Wire) -> None:
        touched: list[list[bytes]] = []
        data = []
        for _ in range(self.random.randrange(1, PIPELINE_MAX)):
            command, states = self._command()
            for name, state in states.items():
                self.keys[name].sent(state)
            touched.append(list(states))
            data.append(encode(*command))
        wire.send(b"".join(data))
        for names in touched:
            reply = wire.reply()
            if reply.startswith(b"-"):
                raise AssertionError(f"refused: {decode(reply)}")
            for name in names:
                self.keys[name].acknowledged()
            self.acknowledged += 1

    def _command(self) -> tuple[tuple[Argument, ...], dict[bytes, bytes | None]]:
        """A command, and the states that it leaves."""
        chance = self.random
        self.serial += 1
        roll = chance.random()
        name = self.key(f"k{chance.randrange(KEYS)}")
        if roll < 0.55:
            value = self._value()
            return ("SET", name, value), {name: value}
        if roll < 0.65:
            return ("DEL", name), {name: None}
        if roll < 0.8:
            pair = chance.randrange(PAIRS)
            a, b = self.key(f"pair{pair}a"), self.key(f"pair{pair}b")
            value = self._value()
            return ("MSET", a, value, b, value), {a: value, b: value}
        if roll < 0.95:
            counter = self.key("counter")
            last = self.keys[counter].states[-1]
            return ("INCR", counter), {counter: b"%d" % (int(last or 0) + 1)}
        log = self.key("log")
        last = self.keys[log].states[-1] or b""
        if len(last) > 100_000:
            return ("DEL", log), {log: None}
        piece = b"%d," % self.serial
        return ("APPEND", log, piece), {log: last + piece}

    def _value(self) -> bytes:
        size = self.random.choice([0, 10, 100, 100, 100, 1000, 9000])
        if self.random.random() < 0.003:
            size = self.random.choice([70_000, 1_500_000])
        return b"%s/%d/" % (self.name.encode(), self.serial) + b"v" * size

    def check(self, wire: Wire) -> list[str]:
        """Compare the store with what it may hold, and take what is found as the truth from here on.

        Returns:
            A line a fault.
        """
        faults = []
        found: dict[bytes, bytes | None] = {}
        for name, key in self.keys.items():
            state = found[name] = wire("GET", name)
            if state not in key.states:
                possible = ", ".join(_short(s) for s in key.states)
                faults.append(f"{name.decode()}: found {_short(state)}, possible: {possible}")
        for pair in range(PAIRS):
            a, b = (found.get(f"{self.name}:pair{pair}{half}".encode()) for half in "ab")
            if a != b:
                faults.append(f"{self.name}:pair{pair}: half of an MSET: {_short(a)} and {_short(b)}")
        for name, key in self.keys.items():
            key.settle(found[name])
        return faults


def _short(state: bytes | None) -> str:
    return "nothing" if state is None else f"{state[:24]!r} ({len(state)} B)"
