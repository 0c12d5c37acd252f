"""The settings of a node: read, changed together or not at all, written back."""

from pathlib import Path

import pytest

from respkv.config import Config, Refused, load
from respkv.errors import ConfigError


def test_file_and_command_line(tmp_path: Path) -> None:
    file = tmp_path / "node.conf"
    file.write_text("port 7001\ntimeout 5\nhash-max-ziplist-entries 9\n")
    config = load([str(file), "--timeout", "7", "--client-output-buffer-limit", "normal 1mb 2mb 3"])
    assert config.integer("port") == 7001
    assert config.integer("timeout") == 7
    assert config.integer("hash-max-listpack-entries") == 9
    assert config.output_limit("normal") == (1 << 20, 2 << 20, 3)
    assert config.output_limit("pubsub").hard_bytes == 32 << 20
    assert config.without_effect() == ["hash-max-listpack-entries"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prot", "1"], 'there is no directive "prot" (did you mean "port"?)'),
        (["--port", "x"], "port takes a whole number from 1 to 65535, not x"),
        (["--port"], "port takes a whole number from 1 to 65535, not nothing"),
        (["--cluster-enabled", "yes"], "cluster-enabled takes only no"),
        (["--requirepass", "a", "b"], "requirepass takes a password"),
        (["/no/such/file"], "cannot read /no/such/file"),
    ],
)
def test_bad_input_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bad_password_is_not_shown() -> None:
    with pytest.raises(ConfigError) as error:
        load(["--requirepass", "s3cret", "word"])
    assert "s3cret" not in str(error.value)


def test_everything_is_shown_under_both_names() -> None:
    shown = dict(Config().show())
    assert shown["slave-priority"] == shown["replica-priority"] == "100"
    assert shown["maxmemory"] == str(512 << 20)
    assert Path(shown["dir"]).is_absolute()


def test_change_is_all_or_nothing() -> None:
    config = Config()
    told: list[frozenset[str]] = []
    config.on_change = told.append
    config.change([("TIMEOUT", "5"), ("lua-time-limit", "7")])
    assert config.integer("timeout") == 5
    assert config.integer("busy-reply-threshold") == 7
    assert told == [{"timeout", "busy-reply-threshold"}]
    for wanted, name in (
        ([("timeout", "6"), ("port", "1")], "port"),
        ([("timeout", "6"), ("dir", "x")], "dir"),
        ([("timeout", "6"), ("Timeout", "7")], "Timeout"),
        ([("timeout", "6"), ("maxclients", "0")], "maxclients"),
    ):
        with pytest.raises(Refused) as error:
            config.change(wanted)
        assert error.value.name == name
    with pytest.raises(KeyError, match="nosuch"):
        config.change([("timeout", "6"), ("nosuch", "1")])
    assert config.integer("timeout") == 5


def test_a_listener_may_refuse() -> None:
    config = Config()

    def refuse(names: frozenset[str]) -> None:
        raise Refused("timeout", "not today")

    config.on_change = refuse
    with pytest.raises(Refused, match="not today"):
        config.change([("timeout", "5")])
    assert config.integer("timeout") == 0


def test_shares_of_memory() -> None:
    config = Config()
    assert config.client_memory() == (512 << 20) // 5
    config.change([("maxmemory", "0"), ("maxmemory-clients", "1mb")])
    assert config.memory() == 512 << 20
    assert config.client_memory() == 1 << 20


def test_rewrite_keeps_what_people_wrote(tmp_path: Path) -> None:
    file = tmp_path / "node.conf"
    file.write_text(
        "# first\ntimeout 1\n\n  timeout 2 \n# middle\nslave-priority 5\ninclude more.conf\n# last\n"
    )
    (tmp_path / "more.conf").write_text("")
    config = Config()
    config.path = file
    config.change([("timeout", "9"), ("replica-priority", "6"), ("requirepass", 'a "b'), ("save", "60 1")])
    config.rewrite()
    text = file.read_text()
    assert text.startswith(
        "# first\n\ntimeout 9\n# middle\nreplica-priority 6\ninclude more.conf\n# last\n\n"
    )
    assert text.count("timeout 9") == 1
    assert "save 60 1\n" in text
    assert 'a "b' not in text
    config.rewrite()
    assert file.read_text() == text
    again = Config()
    again.path = file
    file.write_text(text.replace("include more.conf\n", ""))
    assert list(load([str(file)]).show()) == list(config.show())
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".tmp")] == []
