"""The first line of a script or library: ``#!engine option=value ...``.

Words are split as Redis splits a line: at white space, with "..." (escapes \\n \\r \\t \\b \\a \\xHH) and
'...' (escape \\') inside a word; a quote must end its word.
"""

import re
from typing import NamedTuple

from .host import FLAG_NAMES, ScriptFlag

_WORD = re.compile(
    rb"""\s*(?: "((?:[^"\\]|\\.)*)"(?=\s|\Z) | '((?:[^'\\]|\\.)*)'(?=\s|\Z) | ([^\s"']+) )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_NAME = re.compile(rb"[a-zA-Z0-9_]+")


class ShebangError(Exception):
    """The first line is wrong; the text is the reply's."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class ScriptHead(NamedTuple):
    """What a script says of itself, and the code after that."""

    flags: ScriptFlag
    code: bytes


class LibraryHead(NamedTuple):
    """What a library says of itself, and the code after that."""

    engine: bytes
    name: bytes
    code: bytes


def _unescape(match: re.Match[bytes]) -> bytes:
    letter = match[1]
    return bytes([int(letter[1:], 16)]) if len(letter) > 1 else _ESCAPED.get(letter, letter)


def split_words(line: bytes) -> list[bytes] | None:
    """Split a line into words; None if its quotes do not match."""
    words: list[bytes] = []
    position = 0
    is_joined = False
    while position < len(line.rstrip()):
        match = _WORD.match(line, position)
        if match is None:
            return None
        double, single, plain = match.groups()
        if double is not None:
            text = _ESCAPE.sub(_unescape, double)
        else:
            text = plain if single is None else single.replace(b"\\'", b"'")
        if is_joined and not line[position : position + 1].isspace():
            words[-1] += text
        else:
            words.append(text)
        is_joined = True
        position = match.end()
    return words


def _split(source: bytes, missing: bytes, wrong: bytes) -> tuple[list[bytes], bytes]:
    line, newline, rest = source.partition(b"\n")
    if not newline:
        raise ShebangError(missing)
    words = split_words(line)
    if not words:
        raise ShebangError(wrong)
    # The line feed stays, so that errors count lines as the user does.
    return words, newline + rest


def read_script_head(source: bytes) -> ScriptHead:
    """Read the first line of a script for EVAL, if it has one.

    Raises:
        ShebangError: it is not one for Lua with known flags.
    """
    if not source.startswith(b"#!"):
        return ScriptHead(ScriptFlag.UNDECLARED, source)
    words, code = _split(source, b"Invalid script shebang", b"Invalid engine in script shebang")
    if words[0] != b"#!lua":
        raise ShebangError(b"Unexpected engine in script shebang: %s" % words[0])
    flags = ScriptFlag(0)
    for word in words[1:]:
        option, _, value = word.partition(b"=")
        if option != b"flags" or b"=" not in word:
            raise ShebangError(b"Unknown lua shebang option: %s" % word)
        for name in value.split(b",") if value else []:
            if name not in FLAG_NAMES:
                raise ShebangError(b"Unexpected flag in script shebang: %s" % name)
            flags |= FLAG_NAMES[name]
    return ScriptHead(flags, code)


def is_name(name: bytes) -> bool:
    """Whether a library or function may be called so."""
    return _NAME.fullmatch(name) is not None


def read_library_head(source: bytes) -> LibraryHead:
    """Read the first line of a library.

    Raises:
        ShebangError: there is none, or none with a name, or one with something else.
    """
    if not source.startswith(b"#!"):
        raise ShebangError(b"Missing library metadata")
    words, code = _split(source, b"Invalid library metadata", b"Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise ShebangError(b"Invalid metadata value given: %s" % word)
        if name is not None:
            raise ShebangError(b"Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise ShebangError(b"Library name was not given")
    return LibraryHead(words[0][2:], name, code)
