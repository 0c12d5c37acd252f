"""What is kept of slow commands, and what is not: secrets."""

import pytest

from respkv.commands.journal import LatencyJournal, SlowJournal, redact, shorten
from unit.fakes import FakeNode


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ([b"GET", b"k"], [b"GET", b"k"]),
        ([b"AUTH", b"pw"], [b"AUTH", b"(redacted)"]),
        ([b"auth", b"user", b"pw"], [b"auth", b"(redacted)", b"(redacted)"]),
        (
            [b"HELLO", b"3", b"auth", b"user", b"pw", b"SETNAME", b"x"],
            [b"HELLO", b"3", b"auth", b"(redacted)", b"(redacted)", b"SETNAME", b"x"],
        ),
        ([b"HELLO", b"3", b"AUTH", b"user"], [b"HELLO", b"3", b"AUTH", b"(redacted)"]),
        (
            [b"CONFIG", b"SET", b"timeout", b"1", b"REQUIREPASS", b"pw"],
            [b"CONFIG", b"SET", b"timeout", b"1", b"REQUIREPASS", b"(redacted)"],
        ),
        ([], []),
    ],
)
def test_secrets_are_left_out(args: list[bytes], shown: list[bytes]) -> None:
    assert redact(args) == shown


def test_long_commands_are_cut() -> None:
    args = [b"SET", b"x" * 130] + [b"a"] * 40
    shown = shorten(args, len(args), [len(arg) for arg in args])
    assert len(shown) == 32
    assert shown[1] == b"x" * 128 + b"... (2 more bytes)"
    assert shown[31] == b"... (11 more arguments)"
    assert shorten([b"x" * 128], 1, [1000]) == [b"x" * 128 + b"... (872 more bytes)"]


def test_slowlog() -> None:
    node = FakeNode()
    for n in range(20):
        node.services.slow.add(n * 1000, n, [b"GET", b"%d" % n], "1.2.3.4:5", "me", 15)
    assert node("SLOWLOG", "LEN") == 15
    assert len(node("SLOWLOG", "GET")) == 10
    assert node("SLOWLOG", "GET", 1) == [[19, 19, 19, [b"GET", b"19"], b"1.2.3.4:5", b"me"]]
    assert len(node("SLOWLOG", "GET", -1)) == 15
    assert node("SLOWLOG", "RESET") == "OK"
    assert node("SLOWLOG", "GET") == []
    node.services.slow.add(0, 0, [], "", "", 15)
    assert node("SLOWLOG", "GET")[0][0] == 20


def test_the_slow_log_is_bounded() -> None:
    journal = SlowJournal()
    for _ in range(10_010):
        journal.add(0, 0, [], "", "", 1 << 40)
    assert len(journal) == 10_000


def test_latency() -> None:
    node = FakeNode()
    journal = node.services.latency
    for at_ms, ms in ((1000, 5), (1500, 9), (1900, 7), (3000, 4)):
        journal.add("command", at_ms, ms)
    assert node("LATENCY", "LATEST") == [[b"command", 3, 4, 9]]
    assert node("LATENCY", "HISTORY", "command") == [[1, 9], [3, 4]]
    assert b"high 9 ms, low 4 ms" in node("LATENCY", "GRAPH", "command")
    assert b"Nothing is watched" in node("LATENCY", "DOCTOR")
    node.config.change([("latency-monitor-threshold", "3")])
    assert b"longest 9 ms" in node("LATENCY", "DOCTOR")
    assert node("LATENCY", "RESET", "x", "command", "command") == 1
    assert node("LATENCY", "LATEST") == []


def test_events_are_bounded() -> None:
    journal = LatencyJournal()
    for n in range(1000):
        journal.add(f"event{n}", n * 1000, 1)
        journal.add("event0", n * 1000, 1)
    assert len(journal.events()) == 64
    assert len(journal.history("event0")) == 160
