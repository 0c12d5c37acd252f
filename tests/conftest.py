"""Fixtures that every test may use: servers, and a seed that can be given again."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.process import Server, redis, respkv


def pytest_configure() -> None:
    """A SIGTERM ends the run as Ctrl-C does: the fixtures end the servers that they started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture
def seed() -> int:
    """The seed of a random test: from SEED, or fresh; printed, so that a failure can be run again."""
    value = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"SEED={value}")
    return value


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One redis-server for the whole run, to compare with; tests empty it themselves."""
    with redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.start()


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server of ours for the whole run; tests empty it themselves and change nothing that stays."""
    with respkv(tmp_path_factory.mktemp("respkv")) as server:
        yield server.start()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers of ours with options, started, each in its own directory; all are ended after the test."""
    made: list[Server] = []

    def make(*options: str, start: bool = True) -> Server:
        server = respkv(tmp_path / f"node{len(made)}", *options)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        server.kill()
