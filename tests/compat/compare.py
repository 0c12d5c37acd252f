"""Are two servers' replies the same? And if not, is it one of the differences that we mean?

differences.toml holds those: each with the command it is about, both replies (patterns over the raw bytes
as Latin-1 text), why, and an example that is run, so that no entry outlives its reason.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compat.case import Step, arguments_of
from harness.wire import Fault, Wire, decode


@dataclass(frozen=True)
class Difference:
    """One deliberate difference."""

    name: str
    why: str
    command: re.Pattern[str]
    redis: re.Pattern[str]
    ours: re.Pattern[str]
    example: tuple[tuple[bytes, ...], ...]


@cache
def differences() -> list[Difference]:
    """Everything in differences.toml."""
    entries = tomllib.loads((Path(__file__).parent / "differences.toml").read_text()).get("difference", [])
    return [
        Difference(
            e["name"],
            e["why"],
            re.compile(e["command"], re.IGNORECASE | re.DOTALL),
            re.compile(e["redis"], re.DOTALL),
            re.compile(e["ours"], re.DOTALL),
            tuple(arguments_of(line) for line in e["example"]),
        )
        for e in entries
    ]


def meant(arguments: tuple[bytes, ...], redis: bytes, ours: bytes) -> Difference | None:
    """The deliberate difference that covers these replies, if one does."""
    command = b" ".join(arguments).decode("latin-1")
    for d in differences():
        if (
            d.command.fullmatch(command)
            and d.redis.fullmatch(redis.decode("latin-1"))
            and d.ours.fullmatch(ours.decode("latin-1"))
        ):
            return d
    return None


def same(step: Step, redis: bytes, ours: bytes) -> bool:
    """Do the replies agree in the way that the step asks for?"""
    if redis == ours:
        return True
    if step.how == "exact":
        return False
    expected, got = decode(redis), decode(ours)
    if step.how == "near":
        return isinstance(expected, int) and isinstance(got, int) and abs(expected - got) <= step.within
    if step.how == "unordered":
        return redis[:1] == ours[:1] and _unordered(expected) == _unordered(got)
    if step.how == "shape":
        return shape(redis) == shape(ours)
    if step.how == "error":
        return isinstance(expected, Fault) and isinstance(got, Fault) and expected.code == got.code
    raise ValueError(f"no such comparison: {step.how}")


def _unordered(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_unordered(v) for v in value), key=repr)
    if isinstance(value, dict):
        return {k: _unordered(v) for k, v in value.items()}
    return value


def shape(reply: bytes) -> str:
    """A reply reduced to its kinds: what a client's parser would see. Long arrays of one kind count once."""
    kind = chr(reply[0])
    if kind == "-":
        return "-" + str(decode(reply).code)
    if kind in "*~>%":
        value = decode(reply)
        if value is None:
            return "null"
        items = list(value.items()) if isinstance(value, dict) else list(value)
        return f"{kind}({','.join(sorted({type(i).__name__ for i in items}))})"
    if kind in "$=":
        return kind if not reply.startswith(b"$-1") else "null"
    return "null" if kind == "_" else kind


def run_both(redis: Wire, ours: Wire, steps: list[Step]) -> list[str]:
    """Run the steps on both; a line for each reply that differs and is not meant to."""
    faults = []
    for step in steps:
        expected, got = redis.raw(*step.arguments), ours.raw(*step.arguments)
        if not same(step, expected, got) and not meant(step.arguments, expected, got):
            faults.append(f"{step.text}\n    redis: {expected[:400]!r}\n    ours:  {got[:400]!r}")
    return faults
