"""The text of a configuration file, without what it means.

    line      := [directive word*] | "#" anything
    word      := plain | "double quoted" | 'single quoted'
    escapes   := in double quotes \\n \\r \\t \\b \\a \\xHH, and \\ before any other character for itself; in
    single quotes \\'

A quoted word ends where its quote closes, and a space or the end follows. `include PATH` stands for the lines
of that file. The same splitting serves CONFIG SET's values of several words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from respkv.errors import ConfigError

INCLUDES_MAX = 16
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}
WORD = re.compile(
    r"""\s*(?: "((?:[^"\\]|\\.)*)"(?=\s|$) | '((?:[^'\\]|\\.)*)'(?=\s|$) | ([^\s"'][^\s]*) )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Line:
    """A directive as written: where, its name in lower case, its words."""

    where: str
    name: str
    words: tuple[str, ...]


def split_words(text: str) -> list[str]:
    """Split text into words.

    Raises:
        ValueError: a quote is not closed, or something stands right behind it.
    """
    words, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = WORD.match(text, at)
        if not match:
            raise ValueError("unbalanced quotes")
        double, single, plain = match.groups()
        if double is not None:
            words.append(re.sub(r"\\(x[0-9a-fA-F]{2}|.)", _unescape, double, flags=re.DOTALL))
        elif single is not None:
            words.append(single.replace("\\'", "'"))
        else:
            words.append(plain)
        at = match.end()
    return words


def _unescape(match: re.Match[str]) -> str:
    body = match[1]
    if len(body) == 3:
        return bytes([int(body[1:], 16)]).decode("utf-8", "surrogateescape")
    return ESCAPES.get(body, body)


def quote(word: str) -> str:
    """Return the word so that split_words reads it back."""
    if word and re.fullmatch(r"[^\s\"'#\\\x00-\x1f\x7f][^\s\"'\\\x00-\x1f\x7f]*", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    data = escaped.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\x{ord(m[0]):02x}", data) + '"'


def read_lines(text: str, where: str, read: Callable[[str], str], depth: int = 0) -> Iterator[Line]:
    """Yield the directives of a file, those of the files it includes in their place.

    Args:
        text: what stands in the file.
        where: its name, for messages.
        read: gives the text of an included file.
        depth: how many includes deep this is.

    Raises:
        ConfigError: unbalanced quotes, an include without a path, too deep, or a file that cannot be read.
    """
    if depth > INCLUDES_MAX:
        raise ConfigError(f"{where}: more than {INCLUDES_MAX} files include one another")
    for number, line in enumerate(text.splitlines(), 1):
        here = f"{where} line {number}"
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            name, *words = split_words(stripped)
        except ValueError as error:
            raise ConfigError(f"{here}: {error}") from None
        if name.lower() != "include":
            yield Line(here, name.lower(), tuple(words))
            continue
        if len(words) != 1:
            raise ConfigError(f"{here}: include takes the path of one file")
        try:
            included = read(words[0])
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"{here}: cannot read {words[0]}: {error}") from None
        yield from read_lines(included, words[0], read, depth + 1)


def command_lines(arguments: list[str]) -> Iterator[Line]:
    """Yield the directives of a command line: `--name word...`, up to the next `--`.

    Raises:
        ConfigError: a word that belongs to no directive.
    """
    current: list[str] | None = None
    for argument in arguments:
        if argument.startswith("--") and len(argument) > 2:
            if current:
                yield Line("command line", current[0].lower(), tuple(current[1:]))
            current = [argument[2:]]
        elif current is None:
            raise ConfigError(f'command line: "{argument}" stands before any --directive')
        else:
            current.append(argument)
    if current:
        yield Line("command line", current[0].lower(), tuple(current[1:]))
