"""SCAN's guarantee, KEYS in pieces, RANDOMKEY's fairness, DBSIZE's counts."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire import Fault
from respkv.commands import scan
from respkv.commands.cursors import BYTES_MAX, POSITIONS_MAX, Position, ScanPositions
from unit.fakes import FakeNode

SETTINGS = settings(max_examples=30, deadline=None)


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


def scanned(node: FakeNode, *options: str | int, db: int = 0, most: int = 5000) -> list[bytes]:
    """All that a whole scan gives."""
    found: list[bytes] = []
    cursor: bytes | int = 0
    for _ in range(most):
        cursor, keys = node("SCAN", cursor, *options, db=db)
        found += keys
        if cursor == b"0":
            return found
    raise AssertionError("the scan does not end")


@SETTINGS
@given(st.sets(st.binary(max_size=4), max_size=60), st.integers(1, 20), st.booleans())
def test_a_scan_of_what_stays_gives_each_key_once(keys: set[bytes], count: int, tagged: bool) -> None:
    node = FakeNode()
    keys = {b"{t}" + key for key in keys} if tagged else keys
    for key in keys:
        node.set(key, b"v")
        node.set(key + b"!", b"v", db=1)
    assert sorted(scanned(node, "COUNT", count)) == sorted(keys)
    assert len(scanned(node, "COUNT", count, db=1)) == len(keys)


@SETTINGS
@given(st.integers(0, 2**32), st.integers(1, 10), st.booleans())
def test_nothing_that_stays_is_lost_while_others_come_and_go(seed: int, count: int, forget: bool) -> None:
    chance = random.Random(seed)
    node = FakeNode()
    stay = {b"{t}%d" % n if n % 2 else b"%d" % n for n in range(40)}
    for key in stay:
        node.set(key, b"v")
    found: set[bytes] = set()
    cursor: bytes | int = 0
    forgotten = 0
    while True:
        cursor, keys = node("SCAN", cursor, "COUNT", count)
        found |= set(keys)
        if cursor == b"0":
            break
        for _ in range(3):
            key = b"{t}x%d" % chance.randrange(50)
            node.set(key, b"v") if chance.random() < 0.5 else node.delete(key)
        if forget and forgotten < 5 and chance.random() < 0.2:
            forgotten += 1
            node.services.positions = ScanPositions(chance.randrange(1 << 40))
    assert stay <= found


def test_options(node: FakeNode) -> None:
    for key in (b"a1", b"a2", b"b1"):
        node.set(key, b"v")
    assert sorted(scanned(node, "MATCH", "a*", "COUNT", 2)) == [b"a1", b"a2"]
    assert sorted(scanned(node, "TYPE", "STRING")) == [b"a1", b"a2", b"b1"]
    assert scanned(node, "TYPE", "hash") == []
    assert node("SCAN", "-1")[0] == b"0"
    for bad, error in (
        (("x",), "ERR invalid cursor"),
        (("18446744073709551616",), "ERR invalid cursor"),
        ((0, "COUNT", 0), "ERR syntax error"),
        ((0, "COUNT"), "ERR syntax error"),
        ((0, "COUNT", "x"), "ERR value is not an integer or out of range"),
        ((0, "MATCH", "*" + "x" * 2000), "ERR pattern too long"),
    ):
        assert node("SCAN", *bad) == Fault(error)


def test_a_count_beyond_all_ends_at_once(node: FakeNode) -> None:
    for n in range(100):
        node.set(b"%d" % n, b"v")
    cursor, keys = node("SCAN", 0, "COUNT", 1000)
    assert cursor == b"0"
    assert len(keys) == 100


# ---- cursors
# -------------------------------------------------------------------------------------------------


@given(st.integers(0, 16383), st.binary(max_size=10), st.integers(0, 2**64))
def test_a_cursor_leads_back(slot: int, after: bytes, start: int) -> None:
    positions = ScanPositions(start)
    cursor = positions.cursor(3, Position(slot, after))
    assert 0 < cursor < 2**63
    assert positions.position(3, cursor) == Position(slot, after)
    assert positions.position(4, cursor) == Position(slot)
    assert positions.position(3, cursor + 1) == Position((slot + 1) % 16384)
    assert ScanPositions(start + 12345).position(3, cursor) == Position(slot)


def test_places_are_bounded() -> None:
    positions = ScanPositions(0)
    first = positions.cursor(0, Position(5, b"first"))
    cursors = [positions.cursor(0, Position(5, b"%d" % n)) for n in range(POSITIONS_MAX - 1)]
    assert positions.position(0, first).key == b"first"
    positions.cursor(0, Position(5, b"last"))
    assert positions.position(0, first) == Position(5)
    assert positions.position(0, cursors[0]).key == b"0"
    for n in range(BYTES_MAX // 60_000 + 2):
        positions.cursor(0, Position(6, b"%d" % n + b"x" * 60_000))
    assert positions._bytes <= BYTES_MAX
    assert positions.position(0, cursors[-1]) == Position(5)


# ---- KEYS
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 100, 1 << 20])
def test_long_lists_of_keys_come_in_pieces(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(scan, "COLLECT_BYTES_MAX", limit)
    monkeypatch.setattr(scan, "PIECE_BYTES", 200)
    keys = {b"key:%d" % n for n in range(2000)}
    for key in keys:
        node.set(key, b"v")
        node.set(b"other" + key, b"v", db=1)
    assert set(node("KEYS", "*")) == keys
    assert set(node("KEYS", "*7")) == {key for key in keys if key.endswith(b"7")}
    assert len(node("KEYS", "*", db=1)) == 2000


def test_keys_of_one_name(node: FakeNode) -> None:
    node.set(b"a", b"v")
    node.set(b"old", b"v", expires_at_ms=1)
    assert node("KEYS", "a") == [b"a"]
    assert node("KEYS", "b") == []
    assert node("KEYS", "old") == []
    assert node("KEYS", "*" + "x" * 2000) == Fault("ERR pattern too long")


# ---- RANDOMKEY, DBSIZE
# ---------------------------------------------------------------------------------------


def test_randomkey_reaches_every_key(node: FakeNode) -> None:
    assert node("RANDOMKEY") is None
    keys = [b"%d" % n for n in range(20)] + [b"{t}%d" % n for n in range(20)]
    for key in keys:
        node.set(key, b"v")
        node.set(b"not " + key, b"v", db=2)
    chance = random.Random(3)
    seen: dict[bytes, int] = {}
    for _ in range(4000):
        node.chance = chance.randrange(1 << 32)
        key = node("RANDOMKEY")
        seen[key] = seen.get(key, 0) + 1
    assert set(seen) == set(keys)
    assert max(seen.values()) < 4 * min(seen.values())


def test_dbsize_counts_again_only_when_it_must(node: FakeNode) -> None:
    counted = 0
    view = node.engine.view

    def counting_view() -> object:
        nonlocal counted
        counted += 1
        return view()

    node.engine.view = counting_view  # type: ignore[method-assign,assignment]
    node.set(b"a", b"v")
    node.set(b"b", b"v", expires_at_ms=node.clock.now_ms() + 1000)
    node.set(b"c", b"v", db=1)
    assert [node("DBSIZE"), node("DBSIZE"), node("DBSIZE", db=1)] == [2, 2, 1]
    assert counted == 1
    node.clock.advance(1000)
    assert node("DBSIZE") == 1
    node.set(b"d", b"v")
    assert node("DBSIZE") == 2
    assert counted == 3
    assert b"db0:keys=2,expires=0,avg_ttl=0" in node("INFO", "keyspace")
