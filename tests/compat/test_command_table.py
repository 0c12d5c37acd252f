"""COMMAND: what clients read to route and to complete, field by field against redis-server's."""

from typing import Any

import pytest

from harness.process import Server
from harness.wire import Fault, Wire

# Issue by issue the list grows; these are the string, key and server commands of one node.
NAMES = """
ping echo hello auth select quit reset client command info config time dbsize shutdown save bgsave lastsave
slowlog latency memory debug get set setnx setex psetex getset getdel getex mget mset msetnx append strlen
setrange getrange substr incr decr incrby decrby incrbyfloat lcs del unlink exists touch type expire pexpire
expireat pexpireat ttl pttl expiretime pexpiretime persist rename renamenx copy move swapdb randomkey keys
scan object flushdb flushall dump restore
"""
COMMANDS = NAMES.split()

# Of later versions of redis-server, which today's client libraries send.
LATER = {b"client|no-touch", b"client|setinfo"}

PLAIN = ("name", "arity", "flags", "first key", "last key", "step", "categories", "tips")
FIELDS = (*PLAIN, "key specs", "subcommands")


def info(wire: Wire, name: str) -> dict[str, Any]:
    """The fields of COMMAND INFO, unordered where the order means nothing."""
    (found,) = wire("COMMAND", "INFO", name)
    assert found is not None, f"COMMAND INFO does not know {name}"
    fields = dict(zip(FIELDS, found, strict=True))
    for field in ("flags", "categories", "tips"):
        fields[field] = set(fields[field])
    fields["key specs"] = [loose(spec) for spec in fields["key specs"]]
    fields["subcommands"] = {s[0] for s in fields["subcommands"]}
    return fields


def loose(value: Any) -> Any:
    """Flat maps of RESP2 and nested lists as something that compares without order of flags."""
    if isinstance(value, list):
        return sorted((loose(v) for v in value), key=repr)
    return value


@pytest.mark.parametrize("name", COMMANDS)
def test_command_info(name: str, peer: Server, ours: Server) -> None:
    with peer.wire() as redis, ours.wire() as us:
        theirs, mine = info(redis, name), info(us, name)
    unknown = mine.pop("subcommands") - theirs.pop("subcommands") - LATER
    assert not unknown, "subcommands that redis-server does not have"
    assert mine == theirs


@pytest.mark.parametrize("name", COMMANDS)
def test_command_docs_arguments(name: str, peer: Server, ours: Server) -> None:
    """The group, and the arguments with their types, tokens and flags. Texts are our own."""
    with peer.wire(resp=3) as redis, ours.wire(resp=3) as us:
        theirs = redis("COMMAND", "DOCS", name)[name.encode()]
        mine = us("COMMAND", "DOCS", name)[name.encode()]
    assert mine[b"summary"]
    assert mine[b"since"] == theirs[b"since"]
    assert mine[b"group"] == theirs[b"group"]
    expected = [outline(a) for a in theirs.get(b"arguments", [])]
    got = [outline(a) for a in mine.get(b"arguments", [])]
    assert [a for a in got if a in expected] == expected


def outline(argument: dict[bytes, Any]) -> dict[bytes, Any]:
    """An argument without its name, which only people read."""
    kept = {k: v for k, v in argument.items() if k in (b"type", b"token", b"flags", b"key_spec_index")}
    if b"arguments" in argument:
        kept[b"arguments"] = [outline(a) for a in argument[b"arguments"]]
    return kept


def test_command_list_and_count_agree(ours: Server) -> None:
    with ours.wire() as us:
        names = {n.decode() for n in us("COMMAND", "LIST")}
        assert set(COMMANDS) <= names
        top = {n for n in names if "|" not in n}
        assert us("COMMAND", "COUNT") == len(top) == len(us("COMMAND", "INFO"))
        assert {c[0].decode() for c in us("COMMAND")} == top
        assert {s[0].decode() for c in us("COMMAND") for s in c[9]} == names - top


def test_every_command_has_redis_arity_errors(peer: Server, ours: Server) -> None:
    """Too few arguments, and too many where there is a most, for every command and subcommand of ours."""
    with peer.wire() as redis, ours.wire() as us:
        known = {c[0]: c for c in redis("COMMAND")}
        for mine in us("COMMAND"):
            if mine[0] not in known:
                continue
            for name, arity in [(mine[0], mine[1]), *((s[0], s[1]) for s in mine[9])]:
                if name in LATER:
                    continue
                words = name.split(b"|")
                for count in {abs(arity) - 1, abs(arity) + 1} if arity > 0 else {abs(arity) - 1}:
                    if count < len(words):
                        continue
                    arguments = (*words, *[b"x"] * (count - len(words)))
                    assert us.raw(*arguments) == redis.raw(*arguments), arguments


def test_no_command_of_ours_lacks_a_name_or_takes_redis_names_elsewhere(peer: Server, ours: Server) -> None:
    with peer.wire() as redis, ours.wire() as us:
        theirs = {c[0] for c in redis("COMMAND")}
        extra = {c[0] for c in us("COMMAND")} - theirs
    assert all(name.startswith(b"kv.") for name in extra)


def test_unknown_command_info_is_null(ours: Server) -> None:
    with ours.wire() as us:
        assert us("COMMAND", "INFO", "nosuch", "get")[0] is None
        assert isinstance(us("COMMAND", "GETKEYS", "nosuch"), Fault)
