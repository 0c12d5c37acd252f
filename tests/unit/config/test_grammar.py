"""Lines, words, quotes, includes and command lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respkv.config.grammar import Line, command_lines, quote, read_lines, split_words
from respkv.errors import ConfigError

SPLIT = [
    ("", []),
    ("  a  b ", ["a", "b"]),
    ('"a b" c', ["a b", "c"]),
    (r'"\n\t\x41\"\\"', ['\n\tA"\\']),
    ("'a \\' \\n'", ["a ' \\n"]),
    ('""', [""]),
    ("''", [""]),
    ('a"b', ['a"b']),
    ("#not-a-comment-here", ["#not-a-comment-here"]),
]


@pytest.mark.parametrize(("text", "words"), SPLIT)
def test_split(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("text", ['"a', "'a", '"a"b', "'a'b", 'a "b" "c'])
def test_unbalanced(text: str) -> None:
    with pytest.raises(ValueError, match="unbalanced quotes"):
        split_words(text)


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_what_is_quoted_is_read_back(words: list[str]) -> None:
    assert split_words(" ".join(map(quote, words))) == words


def test_lines_and_includes() -> None:
    files = {"b.conf": "timeout 5\n", "a.conf": "# comment\n\nPORT 1\ninclude b.conf\nbind a b\n"}
    lines = list(read_lines(files["a.conf"], "a.conf", files.__getitem__))
    assert lines == [
        Line("a.conf line 3", "port", ("1",)),
        Line("b.conf line 1", "timeout", ("5",)),
        Line("a.conf line 5", "bind", ("a", "b")),
    ]


def test_bad_files() -> None:
    def absent(path: str) -> str:
        raise FileNotFoundError(2, "No such file", path)

    with pytest.raises(ConfigError, match="f line 2: unbalanced quotes"):
        list(read_lines('a 1\nb "', "f", absent))
    with pytest.raises(ConfigError, match=r"f line 1: cannot read x\.conf"):
        list(read_lines("include x.conf", "f", absent))
    with pytest.raises(ConfigError, match="path of one file"):
        list(read_lines("include", "f", absent))
    with pytest.raises(ConfigError, match="include one another"):
        list(read_lines("include self", "self", lambda path: "include self"))


def test_command_line() -> None:
    lines = list(command_lines(["--port", "1", "--bind", "a", "b", "--save", "", "--Flag"]))
    assert [(line.name, line.words) for line in lines] == [
        ("port", ("1",)),
        ("bind", ("a", "b")),
        ("save", ("",)),
        ("flag", ()),
    ]
    with pytest.raises(ConfigError, match='"7000" stands before'):
        list(command_lines(["7000"]))
