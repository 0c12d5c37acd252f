"""The table is whole and agrees with itself, with C and with redis-server."""

from typing import Any

import pytest

from harness.process import Server
from respkv.commands.dispatch import HANDLERS
from respkv.commands.reply import encode
from respkv.commands.spec import CATEGORIES, Command
from respkv.commands.table import COMMANDS, find
from respkv.native import native_commands

EVERYTHING = [entry for top in COMMANDS.values() for entry in top.all()]
LATER = {"client|setinfo", "client|no-touch"}
"""Of later servers than the one that is compared with."""


def test_every_command_has_one_implementation() -> None:
    native = native_commands()
    for entry in EVERYTHING:
        answered = (entry.name in native) + (entry.name in HANDLERS)
        container = bool(entry.subcommands) and entry.name not in HANDLERS
        assert answered == (0 if container else 1), entry.name
    assert set(HANDLERS) | set(native) <= {entry.name for entry in EVERYTHING}


def test_native_commands_agree() -> None:
    for name, native in native_commands().items():
        entry = COMMANDS[name]
        assert entry.arity == native.arity, name
        assert ("write" in entry.flags) == native.write, name
        assert entry.legacy_keys() == (native.first_key, native.last_key, native.key_step), name


@pytest.mark.parametrize("entry", EVERYTHING, ids=lambda e: e.name)
def test_an_entry_is_whole(entry: Command) -> None:
    assert find(entry.name) is entry
    assert entry.summary.endswith(".")
    assert set(entry.categories()) <= set(CATEGORIES)
    assert ("fast" in entry.categories()) != ("slow" in entry.categories())
    keyed = [part for argument in entry.arguments for part in parts(argument) if part.type == "key"]
    assert {part.key_spec for part in keyed} <= set(range(len(entry.keys)))


def parts(argument: Any) -> list[Any]:
    return [argument, *(inner for part in argument.parts for inner in parts(part))]


def shape(value: Any) -> Any:
    """A reply tree without order where there is none, and without the texts that are ours."""
    kind, inside = value
    if kind == b"%":
        fields = {shape(k): shape(v) for k, v in inside}
        texts = {name: bool(fields[name]) for name in (b"summary", b"complexity") if name in fields}
        return fields | texts
    if kind == b"~":
        return {repr(shape(v)) for v in inside}
    return [shape(v) for v in inside] if kind == b"*" else inside


def tree(data: bytes) -> Any:
    """RESP3 bytes as (kind, content), maps as pairs."""

    def read(at: int) -> tuple[Any, int]:
        end = data.index(b"\r\n", at)
        kind, text, at = data[at : at + 1], data[at + 1 : end], end + 2
        if kind in b"*~%":
            items = []
            for _ in range(int(text) * (2 if kind == b"%" else 1)):
                item, at = read(at)
                items.append(item)
            return (kind, list(zip(items[::2], items[1::2], strict=True)) if kind == b"%" else items), at
        if kind == b"$":
            size = int(text)
            return (kind, data[at : at + size]), at + size + 2
        return (kind, text), at

    return read(0)[0]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_as_redis_in_resp3(name: str, peer: Server) -> None:
    """Field by field, sets as sets and maps as maps; what redis-server has beyond ours is left out."""
    entry = COMMANDS[name]
    with peer.wire(resp=3) as redis:
        info = shape(tree(redis.raw("COMMAND", "INFO", name)))[0]
        docs = shape(tree(redis.raw("COMMAND", "DOCS", name)))[name.encode()]
    ours = shape(tree(encode(entry.describe(), 3)))
    assert ours[:9] == info[:9]
    theirs = {sub[0].decode(): sub for sub in info[9]} if info[9] else {}
    for sub in entry.subcommands.values():
        if sub.name not in LATER:
            assert shape(tree(encode(sub.describe(), 3))) == theirs[sub.name]
    documents = docs.pop(b"subcommands", {})
    mine = shape(tree(encode(entry.document(), 3)))
    our_documents = mine.pop(b"subcommands", {})
    pairs = [(mine, docs)] + [(d, documents[n]) for n, d in our_documents.items() if n.decode() not in LATER]
    for ours_, theirs_ in pairs:
        for history in (ours_.pop(b"history", set()), theirs_.pop(b"history", set())):
            assert all(line.startswith("[b'") for line in history)
        if name == "set":
            ours_[b"arguments"] = [a for a in ours_[b"arguments"] if a[b"name"] != b"comparison"]
        assert ours_ == theirs_
