"""The scripts in scripts/*.lua: many in a file, each begun by a line that names it.

    --- a name; keys=a b; args=1 two; resp=3
    -- > SET a 1                                a command run before it
    return redis.call('get', KEYS[1])

Arguments may hold escapes as in Python. The command lines are comments of the script itself, which so is the
whole text after the line with the name.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Case:
    """One script."""

    name: str
    text: bytes
    keys: tuple[bytes, ...] = ()
    arguments: tuple[bytes, ...] = ()
    resp: int = 2
    data: tuple[tuple[bytes, ...], ...] = ()


def _words(text: str) -> tuple[bytes, ...]:
    return tuple(word.encode().decode("unicode_escape").encode("latin-1") for word in text.split())


def _case(head: str, body: str, file: str) -> Case:
    name, *options = head.split("; ")
    given = dict(option.split("=", 1) for option in options)
    unknown = set(given) - {"keys", "args", "resp"}
    assert not unknown, f"{file}: {name}: {unknown}"
    return Case(
        f"{file}: {name}",
        body.encode(),
        _words(given.get("keys", "")),
        _words(given.get("args", "")),
        int(given.get("resp", "2")),
        tuple(_words(line[5:]) for line in body.splitlines() if line.startswith("-- > ")),
    )


def read_cases() -> list[Case]:
    """All cases of all files."""
    cases = []
    for path in sorted(FOLDER.glob("*.lua")):
        for part in path.read_text().split("\n--- ") if path.stat().st_size else []:
            head, _, body = part.removeprefix("--- ").partition("\n")
            cases.append(_case(head.strip(), body, path.stem))
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), {name for name in names if names.count(name) > 1}
    return cases
