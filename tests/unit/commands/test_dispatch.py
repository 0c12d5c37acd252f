"""What is checked before a command runs."""

import pytest

from respkv.commands.dispatch import Rejected, find


def rejected(*args: bytes, authenticated: bool = True) -> str:
    with pytest.raises(Rejected) as error:
        find(list(args), authenticated, 100)
    return str(error.value)


def test_found_in_any_case() -> None:
    assert find([b"DbSize"], True, 100).command.name == "dbsize"
    assert find([b"CLIENT", b"Id"], True, 100).command.name == "client|id"


def test_unknown() -> None:
    assert rejected(b"FOO") == "ERR unknown command 'FOO', with args beginning with: "
    assert rejected(b"foo", b"a", b"b c") == "ERR unknown command 'foo', with args beginning with: 'a' 'b c' "
    long = rejected(b"x" * 200, *[b"y" * 100] * 5)
    assert long == f"ERR unknown command '{'x' * 128}', with args beginning with: '{'y' * 100}' '{'y' * 25}' "
    assert rejected(b"a\0b", b"c\0d") == "ERR unknown command 'a', with args beginning with: 'c' "
    assert rejected(b"client", b"foo") == "ERR unknown subcommand 'foo'. Try CLIENT HELP."


def test_arity() -> None:
    assert rejected(b"dbsize", b"x") == "ERR wrong number of arguments for 'dbsize' command"
    assert rejected(b"client") == "ERR wrong number of arguments for 'client' command"
    assert rejected(b"config", b"set", b"x") == "ERR wrong number of arguments for 'config|set' command"


def test_order_of_checks() -> None:
    assert rejected(b"foo", authenticated=False).startswith("ERR unknown command")
    assert rejected(b"dbsize", b"x", authenticated=False).startswith("ERR wrong number")
    assert rejected(b"dbsize", authenticated=False) == "NOAUTH Authentication required."
    for name in (b"auth", b"hello", b"quit", b"reset"):
        find([name, b"x"] if name == b"auth" else [name], False, 100)


def test_keys_may_be_too_large() -> None:
    key = b"k" * 101
    assert rejected(b"dump", key) == "ERR value too large"
    assert rejected(b"object", b"encoding", key) == "ERR value too large"
    find([b"keys", key], True, 100)
