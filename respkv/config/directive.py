"""The shape of a directive."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from respkv.config.kinds import Kind


class Change(Enum):
    """Whether CONFIG SET may change it."""

    FREE = auto()
    IMMUTABLE = auto()
    PROTECTED = auto()


class Effect(Enum):
    """What setting it does."""

    WORKS = auto()
    KEPT = auto()
    REFUSED = auto()


@dataclass(frozen=True)
class Directive:
    """One directive. default is written as in a file; unit and reason are for people."""

    name: str
    kind: Kind
    default: str
    unit: str = ""
    reason: str = ""
    change: Change = Change.FREE
    effect: Effect = Effect.WORKS
    also: str = ""
