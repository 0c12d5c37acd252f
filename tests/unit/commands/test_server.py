"""INFO, CONFIG, MEMORY, DEBUG and the rest, on a node without a machine."""

import pytest

from harness.wire import Fault
from respkv.commands.statistics import Figures
from unit.fakes import FakeClient, FakeNode


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


def fields(text: bytes) -> dict[str, str]:
    lines = text.decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if line and not line.startswith("#"))


def test_info_sections(node: FakeNode) -> None:
    default = fields(node("INFO"))
    assert default["redis_version"].startswith("7.")
    assert default["cluster_enabled"] == "0"
    assert default["uptime_in_days"] == "1"
    assert "respkv_version" in default
    titles = [
        line for line in node("INFO", "server", "nosuch", "CLIENTS").decode().splitlines() if line[:1] == "#"
    ]
    assert titles == ["# Server", "# Clients"]
    assert node("INFO", "nosuch") == b""
    assert b"# Commandstats" not in node("INFO")
    assert b"# Commandstats" in node("INFO", "everything")


def test_info_counts_commands_of_both_kinds(node: FakeNode) -> None:
    node.clients.native += [Figures("get", 4, 8000, 0, 1), Figures("never")]
    node.services.statistics.of("dbsize").calls = 2
    node.services.statistics.count_error("ERR x")
    node.services.statistics.count_error("NOAUTH x")
    node.services.statistics.count_error("ERR y")
    stats = fields(node("INFO", "commandstats", "errorstats", "stats"))
    assert stats["cmdstat_get"] == "calls=4,usec=8,usec_per_call=2.00,rejected_calls=0,failed_calls=1"
    assert "cmdstat_dbsize" in stats and "cmdstat_never" not in stats
    assert stats["errorstat_ERR"] == "count=2"
    assert stats["total_error_replies"] == "1"
    assert node("CONFIG", "RESETSTAT") == "OK"
    assert "cmdstat_dbsize" not in fields(node("INFO", "commandstats"))


def test_rates() -> None:
    from respkv.commands.statistics import Statistics

    statistics = Statistics()
    assert statistics.rates() == (0.0, 0.0, 0.0)
    for tick in range(30):
        statistics.sample(tick * 100_000_000, tick * 50, tick * 1024, tick)
    commands, bytes_in, _ = statistics.rates()
    assert (round(commands), round(bytes_in)) == (500, 10240)


def test_config(node: FakeNode) -> None:
    assert node("CONFIG", "GET", "TimeOut", "time*", "timeout") == [b"TimeOut", b"0"]
    assert node("CONFIG", "GET", "nosuch") == []
    assert node("CONFIG", "SET", "timeout", 5, "loglevel", "DEBUG") == "OK"
    assert node("CONFIG", "GET", "loglevel") == [b"loglevel", b"debug"]
    assert node("CONFIG", "SET", "nosuch", 1) == Fault(
        "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
    )
    assert node("CONFIG", "SET", "timeout", "x") == Fault(
        "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed "
        "into an integer"
    )
    assert node("CONFIG", "SET", "dir", "/tmp").text.endswith("can't set protected config")
    assert node("CONFIG", "REWRITE") == Fault("ERR The server is running without a config file")


def test_debug_is_for_this_machine(node: FakeNode) -> None:
    node.clients.known[2] = FakeClient(2, address="10.0.0.1:5")
    assert node("DEBUG", "SLEEP", "0.5") == "OK"
    assert node.slept == [0.5]
    assert node("DEBUG", "SLEEP", "1e9x") == "OK"
    assert node("DEBUG", "SLEEP", 0, client=2).text.startswith("ERR DEBUG command not allowed")
    assert node("DEBUG", "ERROR", "MINE it is") == Fault("MINE it is")
    assert node("DEBUG", "JMAP").code == "ERR"
    for kind in (
        "string",
        "integer",
        "double",
        "bignum",
        "null",
        "array",
        "set",
        "map",
        "verbatim",
        "true",
        "false",
    ):
        assert not isinstance(node("DEBUG", "PROTOCOL", kind), Fault)


def test_debug_digest_does_not_depend_on_order(node: FakeNode) -> None:
    empty = node("DEBUG", "DIGEST")
    node.set(b"a", b"1")
    node.set(b"b", b"2")
    both = node("DEBUG", "DIGEST")
    other = FakeNode()
    other.set(b"b", b"2")
    other.set(b"a", b"1")
    assert other("DEBUG", "DIGEST") == both != empty == "0" * 40
    other.set(b"a", b"2")
    assert other("DEBUG", "DIGEST") != both


def test_memory(node: FakeNode) -> None:
    node.set(b"k", b"v" * 1000)
    assert 1000 < node("MEMORY", "USAGE", "k") < 1100
    assert node("MEMORY", "USAGE", "missing") is None
    assert node("MEMORY", "USAGE", "k", "SAMPLES", -1) == Fault("ERR syntax error")
    stats = node("MEMORY", "STATS")
    assert stats[stats.index(b"keys.count") + 1] == 1


def test_saving_and_stopping(node: FakeNode) -> None:
    assert node("SAVE") == "OK"
    assert node("BGSAVE", "schedule") == "Background saving started"
    assert node.saves == 2
    assert node("SHUTDOWN", "ABORT") == Fault("ERR No shutdown in progress.")
    assert node("SHUTDOWN", "SAVE", "NOSAVE") == Fault("ERR syntax error")
    assert node.stops == 0
    assert node.raw("SHUTDOWN", "NOSAVE", "NOW") == b""
    assert node.stops == 1


def test_alone_in_the_world(node: FakeNode) -> None:
    assert node("ROLE") == [b"master", 0, []]
    assert node("WAIT", 0, 0) == 0
    assert node("WAIT", 1, 500) == 0
    assert node.slept == [0.5]
    for name in ("READONLY", "READWRITE"):
        assert node(name) == Fault("ERR This instance has cluster support disabled")
    assert node("CLUSTER", "INFO") == Fault("ERR This instance has cluster support disabled")


def test_time(node: FakeNode) -> None:
    node.clock.ms = 1_700_000_000_123
    assert node("TIME") == [b"1700000000", b"123000"]
