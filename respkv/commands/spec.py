"""What a command is, as data: the shapes that table.py fills, and what COMMAND derives from them.

Facts are Redis's (arity, flags, key positions, categories, arguments), because clients route and complete by
them; texts are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from respkv.commands.reply import Members, Reply, Status

# In the order in which Redis lists them.
CATEGORIES = tuple(
    c
    for line in (
        "keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub",
        "admin fast slow blocking dangerous connection transaction scripting",
    )
    for c in line.split()
)
GROUP_CATEGORIES = {"string": "string", "generic": "keyspace", "connection": "connection"}


@dataclass(frozen=True)
class KeySpec:
    """Where keys stand among the arguments, and what the command does with them."""

    flags: str
    index: int = 1
    last: int = 0
    """Last key, counted from the first; negative: from the end of the arguments."""
    step: int = 1
    notes: str = ""

    def positions(self, count: int) -> range:
        """Return the positions of keys among count arguments; empty if there are none so far."""
        last = self.index + self.last if self.last >= 0 else count + self.last
        return range(self.index, min(last, count - 1) + 1, self.step)


@dataclass(frozen=True)
class Argument:
    """One argument of a command, for COMMAND DOCS."""

    name: str
    type: str
    token: str = ""
    since: str = ""
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    key_spec: int | None = None
    deprecated_since: str = ""
    parts: tuple[Argument, ...] = ()

    def describe(self) -> dict[Reply, Reply]:
        """Return the map that COMMAND DOCS shows."""
        shown: dict[Reply, Reply] = {"name": self.name, "type": self.type}
        if self.key_spec is not None:
            shown["key_spec_index"] = self.key_spec
        for name, text in (
            ("token", self.token),
            ("since", self.since),
            ("deprecated_since", self.deprecated_since),
        ):
            if text:
                shown[name] = text
        flags = [n for n in ("optional", "multiple", "multiple_token") if getattr(self, n)]
        if flags:
            shown["flags"] = Members([Status(flag) for flag in flags])
        if self.parts:
            shown["arguments"] = [part.describe() for part in self.parts]
        return shown


@dataclass(frozen=True)
class Command:
    """One command or subcommand; a subcommand's name is "container|name"."""

    name: str
    arity: int
    """Number of arguments with the name; negative: at least so many."""
    flags: tuple[str, ...] = ()
    group: str = "server"
    since: str = "1.0.0"
    summary: str = ""
    complexity: str = "O(1)"
    keys: tuple[KeySpec, ...] = ()
    arguments: tuple[Argument, ...] = ()
    tips: tuple[str, ...] = ()
    extra_categories: tuple[str, ...] | None = None
    """Beyond those that follow from the flags; None: the group's."""
    history: tuple[tuple[str, str], ...] = ()
    doc_flags: tuple[str, ...] = ()
    deprecated_since: str = ""
    replaced_by: str = ""
    subcommands: dict[str, Command] = field(default_factory=dict)

    def takes(self, count: int) -> bool:
        """Say whether count arguments, the name among them, may be right."""
        return count == self.arity if self.arity > 0 else count >= -self.arity

    def categories(self) -> list[str]:
        """Return the ACL categories, in Redis's order."""
        found = set(self.extra_categories or ())
        if self.extra_categories is None and not self.subcommands:
            found |= set(GROUP_CATEGORIES.get(self.group, "").split())
        found |= {"write"} & set(self.flags)
        if "readonly" in self.flags:
            found.add("read")
        if "admin" in self.flags:
            found |= {"admin", "dangerous"}
        found.add("fast" if "fast" in self.flags else "slow")
        return [category for category in CATEGORIES if category in found]

    def legacy_keys(self) -> tuple[int, int, int]:
        """Return first key, last key and step as one range."""
        if not self.keys:
            return 0, 0, 0
        first, last = self.keys[0], self.keys[-1]
        return first.index, last.index + last.last if last.last >= 0 else last.last, first.step

    def describe(self) -> list[Reply]:
        """Return the entry of COMMAND INFO."""
        return [
            self.name,
            self.arity,
            Members([Status(flag) for flag in self.flags]),
            *self.legacy_keys(),
            Members([Status("@" + category) for category in self.categories()]),
            Members(list(self.tips)),
            Members([_describe_keys(spec) for spec in self.keys]),
            [sub.describe() for sub in self.subcommands.values()] or Members([]),
        ]

    def document(self) -> dict[Reply, Reply]:
        """Return the entry of COMMAND DOCS."""
        shown: dict[Reply, Reply] = {"summary": self.summary, "since": self.since, "group": self.group}
        if self.complexity:
            shown["complexity"] = self.complexity
        if self.doc_flags:
            shown["doc_flags"] = Members([Status(flag) for flag in self.doc_flags])
        if self.deprecated_since:
            shown["deprecated_since"] = self.deprecated_since
            shown["replaced_by"] = self.replaced_by
        if self.history:
            shown["history"] = Members([[version, text] for version, text in self.history])
        if self.arguments:
            shown["arguments"] = [argument.describe() for argument in self.arguments]
        if self.subcommands:
            shown["subcommands"] = {sub.name: sub.document() for sub in self.subcommands.values()}
        return shown

    def all(self) -> Iterator[Command]:
        """Yield the command and its subcommands."""
        yield self
        yield from self.subcommands.values()

    def with_subcommands(self, subcommands: Sequence[Command]) -> Command:
        """Return the command as the container of others."""
        return replace(self, subcommands={sub.name.partition("|")[2]: sub for sub in subcommands})


def _describe_keys(spec: KeySpec) -> dict[Reply, Reply]:
    shown: dict[Reply, Reply] = {"notes": spec.notes} if spec.notes else {}
    shown["flags"] = Members([Status(flag) for flag in spec.flags.split()])
    shown["begin_search"] = {"type": "index", "spec": {"index": spec.index}}
    shown["find_keys"] = {
        "type": "range",
        "spec": {"lastkey": spec.last, "keystep": spec.step, "limit": 0},
    }
    return shown
