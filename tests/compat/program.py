"""Random programs over the string and key commands, the same for the same seed.

Whatever depends on when exactly a command runs is kept out: times to live are at least 100 s and no two are
closer than 7 s, so that two servers milliseconds apart take the same decisions; what tells time is compared
within two seconds.
"""

import random
from collections.abc import Callable

from compat.case import Step

DATABASES = 3
FAR_MS = 100_000
# A number put into one of these by chance could be a time, or a cursor.
CHOOSY = {b"SET", b"SETEX", b"PSETEX", b"GETEX", b"EXPIRE", b"PEXPIRE", b"EXPIREAT", b"PEXPIREAT", b"SCAN"}


class Program:
    """An endless source of steps."""

    def __init__(self, seed: int, now_ms: int) -> None:
        self.random = random.Random(seed)
        self.now_ms = now_ms
        self.times: set[int] = set()
        self.keys = [b"k%d" % i for i in range(8)] + [
            b"",
            b"\x00",
            b"\xff\xfe",
            b"a b",
            b"{tag}1",
            b"{tag}2",
            b"\r\n",
            b"long" * 60,
        ]
        self.commands: list[tuple[int, Callable[[], list[object]], str]] = self._table()
        self.weights = [weight for weight, _, _ in self.commands]

    def step(self) -> Step:
        """The next command, now and then broken on purpose."""
        _, make, how = self.random.choices(self.commands, self.weights)[0]
        arguments = [a if isinstance(a, bytes) else str(a).encode() for a in make()]
        roll = self.random.random()
        if roll < 0.02:
            arguments.pop()
        elif roll < 0.04:
            arguments.append(self.value())
        elif roll < 0.06 and len(arguments) > 1:
            choosy = arguments[0] in CHOOSY
            arguments[self.random.randrange(1, len(arguments))] = b"what?" if choosy else self.number()
        if arguments and roll < 0.2:
            arguments[0] = arguments[0].lower()
        arguments = arguments or [b"PING"]
        within = {"near-s": 2, "near-ms": 2000}.get(how, 0)
        text = " ".join(repr(a)[1:60] for a in arguments)
        return Step(tuple(arguments), text, how.partition("-")[0], within)

    def key(self) -> bytes:
        """One of a few keys, so that commands meet."""
        return self.random.choice(self.keys)

    def distinct(self, least: int = 1) -> list[bytes]:
        """Some keys, each once or more."""
        return [self.key() for _ in range(self.random.randrange(least, least + 5))]

    def number(self) -> bytes:
        """Mostly small integers; also edges and what only looks like a number."""
        r = self.random
        if r.random() < 0.7:
            return b"%d" % r.randrange(-1000, 1000)
        edges = [2**31, 2**32, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64, 10**30]
        odd = [
            b"",
            b" 1",
            b"1 ",
            b"+1",
            b"01",
            b"-0",
            b"1.5",
            b"1e3",
            b"abc",
            b"nan",
            b"inf",
            b"0x1",
            b"1\x00",
        ]
        return r.choice([b"%d" % n for n in edges] + odd)

    def decimal(self) -> bytes:
        """Mostly decimal fractions."""
        r = self.random
        if r.random() < 0.8:
            return b"%.*f" % (r.randrange(0, 8), r.uniform(-1000, 1000))
        return self.number() if r.random() < 0.5 else b"%g" % r.uniform(-1e10, 1e10)

    def value(self) -> bytes:
        """Numbers, short and long strings, any bytes."""
        r = self.random
        roll = r.random()
        if roll < 0.35:
            return self.number()
        if roll < 0.5:
            return self.decimal()
        if roll < 0.95:
            return r.randbytes(r.randrange(0, 40))
        return r.randbytes(r.choice([44, 45, 255, 4095, 4096, 9000, 20000]))

    def time_ms(self) -> int:
        """A time to live that no other comes near."""
        while True:
            ms = FAR_MS + 7000 * self.random.randrange(1, 1_000_000)
            if ms not in self.times:
                self.times.add(ms)
                return ms

    def expiry(self) -> list[object]:
        """One of the time options of SET and GETEX."""
        ms = self.time_ms()
        at = self.now_ms + ms
        choice: list[list[object]] = [["EX", ms // 1000], ["PX", ms], ["EXAT", at // 1000], ["PXAT", at]]
        return self.random.choice(choice)

    def some(self, *options: object) -> list[object]:
        """A random part of the options, in any order."""
        r = self.random
        return r.sample(options, r.choice([0, 0, 0, 1, 1, min(2, len(options))]))

    def set(self) -> list[object]:
        """SET with options, some of them in conflict."""
        options = self.some("NX", "XX", "GET", "KEEPTTL")
        if self.random.random() < 0.3:
            options += self.expiry()
        return ["SET", self.key(), self.value(), *options]

    def getex(self) -> list[object]:
        """GETEX with or without a time."""
        roll = self.random.random()
        tail: list[object] = [] if roll < 0.3 else ["PERSIST"] if roll < 0.6 else self.expiry()
        return ["GETEX", self.key(), *tail]

    def expire(self) -> list[object]:
        """EXPIRE and its kin, sometimes in the past."""
        ms = self.time_ms() if self.random.random() < 0.85 else -self.random.randrange(0, 1000)
        at = self.now_ms + ms
        name, time = self.random.choice(
            [("EXPIRE", ms // 1000), ("PEXPIRE", ms), ("EXPIREAT", at // 1000), ("PEXPIREAT", at)]
            if ms > 0
            else [("EXPIRE", ms), ("PEXPIRE", ms), ("EXPIREAT", 1), ("PEXPIREAT", 0)]
        )
        return [name, self.key(), time, *self.some("NX", "XX", "GT", "LT")]

    def copy(self) -> list[object]:
        """COPY within and between databases."""
        tail: list[object] = ["DB", self.random.randrange(DATABASES)] if self.random.random() < 0.4 else []
        return ["COPY", self.key(), self.key(), *tail, *self.some("REPLACE")]

    def pattern(self) -> bytes:
        """A glob pattern, well formed or not."""
        r = self.random
        return b"".join(
            r.choice([b"*", b"?", b"k", b"[0-9]", b"[^3]", b"\\", b"[", b"{tag}", b"1"]) for _ in "abc"
        )

    def scan(self) -> list[object]:
        """A SCAN that ends in one call."""
        tail: list[object] = ["MATCH", self.pattern()] if self.random.random() < 0.5 else []
        return ["SCAN", 0, "COUNT", 1000, *tail]

    def _table(self) -> list[tuple[int, Callable[[], list[object]], str]]:
        r, key, value, number = self.random, self.key, self.value, self.number

        def offset() -> object:
            return r.randrange(0, 60) if r.random() < 0.9 else r.choice([-1, 2**29 + 1, 2**40, 2**63, "x"])

        def pairs(name: str) -> list[object]:
            return [name, *(x for k in self.distinct() for x in (k, value()))]

        def database() -> int:
            return r.randrange(DATABASES)

        return [
            (12, self.set, "exact"),
            (8, lambda: ["GET", key()], "exact"),
            (3, lambda: ["GETSET", key(), value()], "exact"),
            (2, lambda: ["GETDEL", key()], "exact"),
            (3, self.getex, "exact"),
            (2, lambda: ["SETNX", key(), value()], "exact"),
            (1, lambda: ["SETEX", key(), self.time_ms() // 1000, value()], "exact"),
            (1, lambda: ["PSETEX", key(), self.time_ms(), value()], "exact"),
            (4, lambda: ["MGET", *self.distinct()], "exact"),
            (3, lambda: pairs("MSET"), "exact"),
            (2, lambda: pairs("MSETNX"), "exact"),
            (4, lambda: ["APPEND", key(), value()], "exact"),
            (2, lambda: ["STRLEN", key()], "exact"),
            (3, lambda: ["SETRANGE", key(), offset(), value()], "exact"),
            (3, lambda: [r.choice(["GETRANGE", "SUBSTR"]), key(), number(), number()], "exact"),
            (4, lambda: [r.choice(["INCR", "DECR"]), key()], "exact"),
            (4, lambda: [r.choice(["INCRBY", "DECRBY"]), key(), number()], "exact"),
            (3, lambda: ["INCRBYFLOAT", key(), self.decimal()], "exact"),
            (2, lambda: ["SET", key(), number()], "exact"),
            (1, lambda: ["LCS", key(), key(), *self.some("LEN", "IDX", "WITHMATCHLEN")], "exact"),
            (4, lambda: [r.choice(["DEL", "UNLINK"]), *self.distinct()], "exact"),
            (2, lambda: [r.choice(["EXISTS", "TOUCH"]), *self.distinct()], "exact"),
            (1, lambda: ["TYPE", key()], "exact"),
            (6, self.expire, "exact"),
            (3, lambda: [r.choice(["TTL", "EXPIRETIME"]), key()], "near-s"),
            (3, lambda: [r.choice(["PTTL", "PEXPIRETIME"]), key()], "near-ms"),
            (2, lambda: ["PERSIST", key()], "exact"),
            (3, lambda: [r.choice(["RENAME", "RENAMENX"]), key(), key()], "exact"),
            (3, self.copy, "exact"),
            (2, lambda: ["MOVE", key(), database()], "exact"),
            (1, lambda: ["SWAPDB", database(), database()], "exact"),
            (3, lambda: ["SELECT", database()], "exact"),
            (2, lambda: ["DBSIZE"], "exact"),
            (1, lambda: ["KEYS", self.pattern()], "unordered"),
            (1, self.scan, "unordered"),
            (1, lambda: ["PING", value()], "exact"),
            (1, lambda: ["ECHO", value()], "exact"),
        ]
