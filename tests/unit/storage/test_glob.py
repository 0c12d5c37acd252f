"""Glob patterns: as Redis's own matcher, which is the twin here, and in bounded time."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respkv.storage.glob import PatternTooLong, literal, matcher

LETTERS = st.sampled_from([b"a", b"b", b"*", b"?", b"[", b"]", b"^", b"-", b"\\", b"\n", b"\xff"])
TEXTS = st.lists(LETTERS, max_size=8).map(b"".join)


def obvious(pattern: bytes, text: bytes) -> bool:
    """The definition, a byte at a time, with all of Redis's edges; exponential."""
    if not text:
        return pattern in (b"", b"*")
    return _match(pattern, text)


def _match(pattern: bytes, text: bytes) -> bool:
    if not pattern:
        return not text
    first, rest = pattern[:1], pattern[1:]
    if first == b"*":
        return any(_match(rest, text[at:]) for at in range(len(text) + 1))
    if not text:
        return False
    if first == b"?":
        return _match(rest, text[1:])
    if first == b"[":
        found, rest = _class(rest, text[0])
        return found and _match(rest, text[1:])
    if first == b"\\" and rest:
        first, rest = rest[:1], rest[1:]
    return text[:1] == first and _match(rest, text[1:])


def _class(pattern: bytes, byte: int) -> tuple[bool, bytes]:
    negated = pattern[:1] == b"^"
    pattern = pattern[negated:]
    found = False
    while pattern and pattern[:1] != b"]":
        if pattern[:1] == b"\\" and len(pattern) >= 2:
            found |= pattern[1] == byte
            pattern = pattern[2:]
        elif len(pattern) >= 3 and pattern[1:2] == b"-":
            low, high = sorted((pattern[0], pattern[2]))
            found |= low <= byte <= high
            pattern = pattern[3:]
        else:
            found |= pattern[0] == byte
            pattern = pattern[1:]
    return found != negated, pattern[1:]


@given(TEXTS, TEXTS)
def test_as_the_obvious_matcher(pattern: bytes, text: bytes) -> None:
    assert bool(matcher(pattern)(text)) == obvious(pattern, text)


@given(st.binary(max_size=30))
def test_text_without_wildcards_matches_itself(text: bytes) -> None:
    if literal(text) is not None:
        assert matcher(text)(text)
        assert not matcher(text)(text + b"x")


def test_case() -> None:
    assert matcher(b"GET*", True)(b"getex")
    assert not matcher(b"GET*")(b"getex")


def test_no_pattern_takes_long() -> None:
    """Patterns that make a backtracking matcher exponential, on a text that nearly matches."""
    chance = random.Random(1)
    patterns = [b"a*" * 500 + b"b", b"*a" * 511 + b"b", b"*" * 1000 + b"b", b"?*" * 500 + b"b"]
    patterns += [bytes(chance.choice(b"a*?[]") for _ in range(1000)) + b"b" for _ in range(20)]
    begin = time.perf_counter()
    for pattern in patterns:
        assert not matcher(pattern)(b"a" * 1000)
    assert time.perf_counter() - begin < 1.0


def test_long_patterns() -> None:
    assert matcher(b"x" * 5000)(b"x" * 5000)
    assert matcher(b"x" * 1023 + b"*")(b"x" * 1023)
    with pytest.raises(PatternTooLong):
        matcher(b"x" * 1024 + b"*")
