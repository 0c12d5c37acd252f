"""First lines of scripts and libraries."""

import pytest

from respkv.scripting.host import ScriptFlag
from respkv.scripting.shebang import (
    LibraryHead,
    ScriptHead,
    ShebangError,
    is_name,
    read_library_head,
    read_script_head,
    split_words,
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"   ", []),
        (b"a", [b"a"]),
        (b"  a  bc\td ", [b"a", b"bc", b"d"]),
        (b'"a b" c', [b"a b", b"c"]),
        (b"'a b' c", [b"a b", b"c"]),
        (b'x="a b"', [b"x=a b"]),
        (b"x='a b' y", [b"x=a b", b"y"]),
        (b'"a\\n\\x41\\"\\q"', [b'a\nA"q']),
        (b"'a\\'b\\n'", [b"a'b\\n"]),
        (b'""', [b""]),
        (b'"a', None),
        (b"'a", None),
        (b'"a"b', None),
        (b"'a'b", None),
        (b'a"b', None),
    ],
)
def test_words(line: bytes, words: list[bytes] | None) -> None:
    assert split_words(line) == words


def test_a_script_without_a_first_line() -> None:
    assert read_script_head(b"return 1") == ScriptHead(ScriptFlag.UNDECLARED, b"return 1")
    assert read_script_head(b"") == ScriptHead(ScriptFlag.UNDECLARED, b"")


def test_a_script_with_a_first_line() -> None:
    head = read_script_head(b"#!lua flags=no-writes,allow-oom flags=no-cluster\nreturn 1")
    assert head == ScriptHead(
        ScriptFlag.NO_WRITES | ScriptFlag.ALLOW_OOM | ScriptFlag.NO_CLUSTER, b"\nreturn 1"
    )
    assert read_script_head(b"#!lua\n").flags == ScriptFlag(0)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (b"#!lua", b"Invalid script shebang"),
        (b'#!lua "\n', b"Invalid engine in script shebang"),
        (b"#!js\n", b"Unexpected engine in script shebang: #!js"),
        (b"#!lua flags=no-writes,\n", b"Unexpected flag in script shebang: "),
        (b"#!lua flags=NO-WRITES\n", b"Unexpected flag in script shebang: NO-WRITES"),
        (b"#!lua flags\n", b"Unknown lua shebang option: flags"),
    ],
)
def test_wrong_scripts(source: bytes, text: bytes) -> None:
    with pytest.raises(ShebangError) as raised:
        read_script_head(source)
    assert raised.value.text == text


def test_a_library() -> None:
    assert read_library_head(b"#!Lua Name=x\ncode") == LibraryHead(b"Lua", b"x", b"\ncode")


@pytest.mark.parametrize(
    ("name", "good"),
    [(b"a", True), (b"A_9", True), (b"", False), (b"a b", False), (b"a\n", False), (b"\xe4", False)],
)
def test_names(name: bytes, good: bool) -> None:
    assert is_name(name) is good
