"""Redis's glob patterns over bytes, as compiled regular expressions that cannot blow up.

    *  any bytes    ?  one byte    [abc] [a-z] [^a]  one byte of a class, or not of it    \\x  x itself

Edges as Redis has them: a class that is not closed ends with the pattern; a range may be written backwards;
[] matches nothing and [^] any byte; a backslash at the end stands for itself; of patterns that are all stars
only * matches the empty text.

A * need only try the first place where the part up to the next * fits, so each part between two stars becomes
an atomic group: cost is at most pattern times text, whatever the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

PATTERN_SIZE_MAX = 1024
SPECIAL = frozenset(b"*?[\\")


class PatternTooLong(ValueError):
    """A pattern with wildcards is longer than PATTERN_SIZE_MAX."""


def literal(pattern: bytes) -> bytes | None:
    """Return the one text that a pattern without wildcards matches, or None if it has some."""
    return None if SPECIAL.intersection(pattern) else pattern


@lru_cache(maxsize=256)
def matcher(pattern: bytes, ignore_case: bool = False) -> Callable[[bytes], object]:
    """Return a function that says (by truth) whether a text matches.

    Raises:
        PatternTooLong: the pattern has wildcards and is too long.
    """
    if len(pattern) > PATTERN_SIZE_MAX:
        if literal(pattern) is None:
            raise PatternTooLong
        return pattern.__eq__
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.compile(_translate(pattern), flags).fullmatch


def _translate(pattern: bytes) -> bytes:
    """The regular expression of a pattern: parts between stars, all but the first and last made atomic."""
    if len(pattern) > 1 and not pattern.strip(b"*"):
        return b".+"
    parts: list[list[bytes]] = [[]]
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            parts.append([])
            continue
        if byte == b"[":
            piece, at = _class(pattern, at)
        elif byte == b"?":
            piece = b"."
        else:
            if byte == b"\\" and at < len(pattern):
                byte = pattern[at : at + 1]
                at += 1
            piece = re.escape(byte)
        parts[-1].append(piece)
    first, *others = (b"".join(part) for part in parts)
    if not others:
        return first
    last = others.pop()
    middle = b"".join(b"(?>.*?" + part + b")" for part in others if part)
    return first + middle + b".*" + last


def _class(pattern: bytes, at: int) -> tuple[bytes, int]:
    """The class whose [ has just been read, and where the pattern goes on."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    members: set[int] = set()
    while at < len(pattern) and pattern[at] != ord("]"):
        left = len(pattern) - at
        if pattern[at] == ord("\\") and left >= 2:
            members.add(pattern[at + 1])
            at += 2
        elif left >= 3 and pattern[at + 1] == ord("-"):
            low, high = sorted((pattern[at], pattern[at + 2]))
            members.update(range(low, high + 1))
            at += 3
        else:
            members.add(pattern[at])
            at += 1
    if not members:
        return (b"." if negated else b"(?!)"), at + 1
    inside = b"".join(b"\\x%02x" % member for member in sorted(members))
    return (b"[^" if negated else b"[") + inside + b"]", at + 1
