"""Edge cases as text: the grammar of cases/*.txt, described at the top of strings.txt."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"
ESCAPES = {"n": 10, "r": 13, "t": 9, "b": 8, "a": 7}
TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|\'([^\']*)\'|(\S+)')
TIME = re.compile(r"<now(_ms)?\+(\d+)>")
REPEAT = re.compile(r"<(.)\*(\d+)>")


@dataclass(frozen=True)
class Step:
    """One command and how its replies are compared: "exact", "near", "unordered", "shape" or "error"."""

    arguments: tuple[bytes, ...]
    text: str
    how: str = "exact"
    within: int = 0


@dataclass(frozen=True)
class Case:
    """A title and its commands, as text: times in it are filled in when it runs."""

    title: str
    lines: tuple[str, ...]

    def steps(self) -> list[Step]:
        """The commands, with the present time where they ask for it."""
        now = time.time()

        def wall(match: re.Match[str]) -> str:
            return str(int(now * (1000 if match[1] else 1)) + int(match[2]))

        return [_step(TIME.sub(wall, line)) for line in self.lines]


def _step(line: str) -> Step:
    how, within, command = "exact", 0, line
    if line.startswith("@"):
        word, command = line.split(" ", 1)
        how = word[1:]
        if how == "near":
            number, command = command.split(" ", 1)
            within = int(number)
    return Step(arguments_of(command), command[:200], how, within)


def arguments_of(command: str) -> tuple[bytes, ...]:
    """Split a command as redis-cli does.

    Returns:
        Its arguments; text is taken as UTF-8, \\xHH as that byte.
    """
    found = []
    for quoted, literal, plain in TOKEN.findall(command):
        word = quoted or literal or plain
        data = _unescape(word) if quoted or plain else word.encode()
        found.append(re.sub(rb"<(.)\*(\d+)>", lambda m: m[1] * int(m[2]), data))
    return tuple(found)


def _unescape(text: str) -> bytes:
    def byte(match: re.Match[bytes]) -> bytes:
        body = match[1]
        if body[:1] == b"x" and len(body) == 3:
            return bytes([int(body[1:], 16)])
        return bytes([ESCAPES.get(body.decode(), body[0])])

    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", byte, text.encode(), flags=re.DOTALL)


def load(name: str) -> list[Case]:
    """The cases of cases/NAME.txt."""
    cases: list[Case] = []
    title, lines = "", list[str]()
    for line in [*(CASES / f"{name}.txt").read_text().splitlines(), "## end"]:
        if line.startswith("## "):
            if title:
                cases.append(Case(title, tuple(lines)))
            title, lines = line[3:], []
        elif line and not line.startswith("#"):
            lines.append(line)
    return cases
