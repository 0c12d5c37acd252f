"""A redis-server of these tests' own, and the room beside it."""

import shutil
from collections.abc import Iterator

import pytest

from harness.process import redis
from scripting.twin import Twin


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    """Both sides, for the whole run; tests leave no script settings behind."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with redis(tmp_path_factory.mktemp("scripting"), "--rdbcompression", "no") as server:
        both = Twin(server.start().port)
        yield both
        both.close()


@pytest.fixture
def clean(twin: Twin) -> Twin:
    """Both sides without data, scripts and libraries."""
    twin.reset()
    return twin
