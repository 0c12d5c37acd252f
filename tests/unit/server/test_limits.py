"""Directives arrive at the C core as the numbers they stand for."""

from dataclasses import fields

from respkv.config import Config
from respkv.config.directives import DIRECTIVES
from respkv.native import Limits, Server, Store, StoreOptions
from respkv.server.limits import FOLLOWED, limits_of, options_of, slow_us


def changed(*wanted: tuple[str, str]) -> Config:
    config = Config()
    config.change(wanted)
    return config


def test_every_limit_comes_from_a_directive() -> None:
    assert None not in {getattr(limits_of(Config()), field.name) for field in fields(Limits)}
    named = {field.name for field in fields(StoreOptions)} - {"read_only"}
    assert None not in {getattr(options_of(Config()), name) for name in named}
    assert set(DIRECTIVES) >= FOLLOWED


def test_passwords_decide_on_protection() -> None:
    open_ = limits_of(Config())
    assert (open_.auth_required, open_.protected_mode) == (False, True)
    guarded = limits_of(changed(("requirepass", "x")))
    assert (guarded.auth_required, guarded.protected_mode) == (True, False)
    assert not limits_of(changed(("protected-mode", "no"))).protected_mode


def test_slow_commands() -> None:
    assert slow_us(Config()) == 10_000
    assert slow_us(changed(("slowlog-log-slower-than", "-1"))) == -1
    assert slow_us(changed(("slowlog-log-slower-than", "-1"), ("latency-monitor-threshold", "7"))) == 7000
    assert slow_us(changed(("slowlog-log-slower-than", "0"), ("latency-monitor-threshold", "7"))) == 0


def test_the_defaults_are_accepted(tmp_path: object) -> None:
    store = Store.open(f"{tmp_path}/store", options_of(Config()))
    server = Server(store, limits_of(Config()))
    server.close()
    store.close()
