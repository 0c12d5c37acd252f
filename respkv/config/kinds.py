"""What a directive's value may look like: one class a kind, from words to a value and back.

parse takes the words of a line (or of CONFIG SET's one argument) and gives the value; what it does not take
is a ValueError whose text is Redis's own, since clients compare it. expected says the same thing in a
sentence for whoever started the server. format gives the text that CONFIG GET shows, which parse reads back
to the same value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

Value = object

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
MEMORY = re.compile(r"([0-9]{1,19})([a-z]{0,2})", re.ASCII)
INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
HASHED_PASSWORD = re.compile(r"#[0-9a-f]{64}", re.ASCII)


class Kind(Protocol):
    """A kind of value."""

    @property
    def expected(self) -> str:
        """What the value may be, to go after "takes"."""

    @property
    def many(self) -> bool:
        """Whether it has several words, which may come as one word with spaces."""

    def parse(self, words: Sequence[str]) -> Value:
        """Return the value that words stand for, or raise ValueError with Redis's text."""

    def format(self, value: Value) -> str:
        """Return the text of a value."""


def _one(words: Sequence[str]) -> str:
    if len(words) != 1:
        raise ValueError("wrong number of arguments")
    return words[0]


@dataclass(frozen=True)
class Boolean:
    """yes or no."""

    many: ClassVar[bool] = False
    expected: str = "yes or no"

    def parse(self, words: Sequence[str]) -> bool:
        word = _one(words).lower()
        if word not in ("yes", "no"):
            raise ValueError("argument must be 'yes' or 'no'")
        return word == "yes"

    def format(self, value: Value) -> str:
        return "yes" if value else "no"


def _within(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise ValueError(f"argument must be between {low} and {high} inclusive")
    return number


@dataclass(frozen=True)
class Integer:
    """A whole number within bounds."""

    many: ClassVar[bool] = False
    low: int = 0
    high: int = INT32_MAX

    @property
    def expected(self) -> str:
        if self.high == INT64_MAX:
            return f"a whole number from {self.low}"
        return f"a whole number from {self.low} to {self.high}"

    def parse(self, words: Sequence[str]) -> int:
        word = _one(words)
        if not INTEGER.fullmatch(word) or not -INT64_MAX - 1 <= int(word) <= INT64_MAX:
            raise ValueError("argument couldn't be parsed into an integer")
        return _within(int(word), self.low, self.high)

    def format(self, value: Value) -> str:
        return str(value)


@dataclass(frozen=True)
class Octal:
    """File permissions."""

    many: ClassVar[bool] = False
    expected: str = "permissions in octal, as 770"

    def parse(self, words: Sequence[str]) -> int:
        word = _one(words)
        if not re.fullmatch("[0-7]{1,4}", word) or int(word, 8) > 0o777:
            raise ValueError("argument couldn't be parsed as an octal number")
        return int(word, 8)

    def format(self, value: Value) -> str:
        return f"{value:o}"


def parse_memory(word: str) -> int:
    """Return the bytes of "64mb": k, m, g are powers of 1000, kb, mb, gb of 1024.

    Raises:
        ValueError: it is no such thing.
    """
    match = MEMORY.fullmatch(word.lower())
    if not match or match[2] not in UNITS:
        raise ValueError("argument must be a memory value")
    return int(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Memory:
    """Bytes within bounds, written with or without a unit; or zero, where that has a meaning of its own."""

    many: ClassVar[bool] = False
    low: int = 0
    high: int = INT64_MAX
    or_zero: bool = False

    @property
    def expected(self) -> str:
        least = f" of at least {readable_bytes(self.low)}" if self.low else ""
        most = f", at most {readable_bytes(self.high)}" if self.high < INT64_MAX else ""
        return f"a number of bytes{least}{most}, as 64mb" + (", or 0" if self.or_zero else "")

    def parse(self, words: Sequence[str]) -> int:
        size = parse_memory(_one(words))
        return size if self.or_zero and size == 0 else _within(size, self.low, self.high)

    def format(self, value: Value) -> str:
        return str(value)


class Share(NamedTuple):
    """A number of bytes, or a percentage of maxmemory."""

    amount: int
    percent: bool

    def bytes_of(self, whole: int) -> int:
        """Return the bytes that this is of whole bytes."""
        return whole * self.amount // 100 if self.percent else self.amount


@dataclass(frozen=True)
class MemoryShare:
    """Bytes, or a percentage."""

    many: ClassVar[bool] = False
    expected: str = "a number of bytes, as 64mb, or a percentage, as 20%"

    def parse(self, words: Sequence[str]) -> Share:
        word = _one(words)
        try:
            if word.endswith("%") and word[:-1].isdigit():
                return Share(_within(int(word[:-1]), 0, 100), True)
            return Share(parse_memory(word), False)
        except ValueError:
            raise ValueError("argument must be a memory or percent value") from None

    def format(self, value: Value) -> str:
        assert isinstance(value, Share)
        return f"{value.amount}%" if value.percent else str(value.amount)


@dataclass(frozen=True)
class Choice:
    """One of some words; with several, any of them together."""

    words: tuple[str, ...]
    several: bool = False

    @property
    def many(self) -> bool:
        return self.several

    @property
    def expected(self) -> str:
        return ("some of " if self.several else "one of ") + ", ".join(self.words)

    def parse(self, words: Sequence[str]) -> str:
        found = [word.lower() for word in words]
        if not found or (len(found) > 1 and not self.several) or not set(found) <= set(self.words):
            raise ValueError("argument(s) must be one of the following: " + ", ".join(self.words))
        return " ".join(found)

    def format(self, value: Value) -> str:
        return str(value)


@dataclass(frozen=True)
class Text:
    """Any one word; a pattern may narrow it."""

    many: ClassVar[bool] = False
    expected: str = "a text"
    pattern: str = "(?s:.*)"
    fault: str = "argument is not valid"

    def parse(self, words: Sequence[str]) -> str:
        word = _one(words)
        if not re.fullmatch(self.pattern, word):
            raise ValueError(self.fault)
        return word

    def format(self, value: Value) -> str:
        return str(value)


@dataclass(frozen=True)
class Password:
    """A password, kept as "#" and the SHA-256 of it in hex, which may also be given in its place."""

    many: ClassVar[bool] = False
    expected: str = 'a password, or "#" and the 64 hex digits of its SHA-256'

    def parse(self, words: Sequence[str]) -> str:
        word = _one(words)
        if not word or HASHED_PASSWORD.fullmatch(word):
            return word
        return "#" + hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest()

    def format(self, value: Value) -> str:
        return str(value)


@dataclass(frozen=True)
class Words:
    """Some words, none allowed."""

    many: ClassVar[bool] = True
    expected: str
    most: int = 16

    def parse(self, words: Sequence[str]) -> tuple[str, ...]:
        found = tuple(word for word in words if word)
        if len(found) > self.most:
            raise ValueError("Too many arguments")
        return found

    def format(self, value: Value) -> str:
        assert isinstance(value, tuple)
        return " ".join(value)


@dataclass(frozen=True)
class Numbers:
    """A fixed number of whole numbers."""

    many: ClassVar[bool] = True
    count: int
    low: int
    high: int

    @property
    def expected(self) -> str:
        return f"{self.count} whole numbers from {self.low} to {self.high}"

    def parse(self, words: Sequence[str]) -> tuple[int, ...]:
        if len(words) != self.count:
            raise ValueError("wrong number of arguments")
        try:
            return tuple(_within(int(word), self.low, self.high) for word in words)
        except ValueError:
            raise ValueError(
                f"Invalid oom-score-adj-values, elements must be between {self.low} and {self.high}."
            ) from None

    def format(self, value: Value) -> str:
        assert isinstance(value, tuple)
        return " ".join(map(str, value))


@dataclass(frozen=True)
class Percentiles:
    """Numbers from 0 to 100."""

    many: ClassVar[bool] = True
    expected: str = "numbers from 0 to 100"

    def parse(self, words: Sequence[str]) -> tuple[float, ...]:
        try:
            found = tuple(float(word) for word in words if word)
        except ValueError:
            raise ValueError("Invalid latency-tracking-info-percentiles parameters") from None
        if not all(0 <= number <= 100 for number in found):
            raise ValueError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
        return found

    def format(self, value: Value) -> str:
        assert isinstance(value, tuple)
        return " ".join(f"{number:g}" for number in value)


@dataclass(frozen=True)
class SavePoints:
    """Pairs of seconds and changes."""

    many: ClassVar[bool] = True
    expected: str = 'pairs of seconds and changes, or ""'

    def parse(self, words: Sequence[str]) -> tuple[str, ...]:
        found = tuple(word for word in words if word)
        numbers = all(re.fullmatch("[0-9]{1,9}", word) for word in found)
        if len(found) % 2 or not numbers or any(int(word) < 1 for word in found[::2]):
            raise ValueError("Invalid save parameters")
        return found

    def format(self, value: Value) -> str:
        assert isinstance(value, tuple)
        return " ".join(value)


@dataclass(frozen=True)
class EventClasses:
    """The letters of notify-keyspace-events."""

    many: ClassVar[bool] = False
    expected: str = "letters of Ag$lshzxeKEtmdn"

    def parse(self, words: Sequence[str]) -> str:
        letters = set(_one(words))
        if letters - set("Ag$lshzxeKEtmdn"):
            raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        all_of_a = set("g$lshzxetd")
        if "A" in letters or letters >= all_of_a:
            letters = letters - all_of_a | {"A"}
        return "".join(letter for letter in "Ag$lshzxetdKEmn" if letter in letters)

    def format(self, value: Value) -> str:
        return str(value)


class OutputLimit(NamedTuple):
    """When a client that does not read its replies is closed; 0: never."""

    hard_bytes: int
    soft_bytes: int
    soft_seconds: int


OutputLimits = tuple[tuple[str, OutputLimit], ...]


@dataclass(frozen=True)
class BufferLimits:
    """Output limits of the classes normal, replica (or slave) and pubsub; who is not named keeps its own."""

    many: ClassVar[bool] = True
    default: OutputLimits = ()
    expected: str = "class, hard bytes, soft bytes, soft seconds, for the classes normal, replica and pubsub"

    def parse(self, words: Sequence[str]) -> OutputLimits:
        if not words or len(words) % 4:
            raise ValueError("Wrong number of arguments in buffer limit configuration.")
        limits = dict(self.default)
        for i in range(0, len(words), 4):
            name = {"replica": "slave"}.get(words[i].lower(), words[i].lower())
            if name not in ("normal", "slave", "pubsub"):
                raise ValueError("Invalid client class specified in buffer limit configuration.")
            try:
                seconds = _within(int(words[i + 3]), 0, INT32_MAX)
                limits[name] = OutputLimit(parse_memory(words[i + 1]), parse_memory(words[i + 2]), seconds)
            except ValueError:
                raise ValueError(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                ) from None
        return tuple(limits.items())

    def format(self, value: Value) -> str:
        assert isinstance(value, tuple)
        return " ".join(
            f"{name} {limit.hard_bytes} {limit.soft_bytes} {limit.soft_seconds}" for name, limit in value
        )


def readable_bytes(size: int) -> str:
    """Return a size as people write it: 64mb, 1536."""
    for unit, scale in (("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)):
        if size and size % scale == 0:
            return f"{size // scale}{unit}"
    return str(size)
