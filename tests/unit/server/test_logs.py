"""The log: levels, rotation, and no text that can forge a line."""

import re
from pathlib import Path

import pytest

from respkv.errors import StartError
from respkv.server.logs import Log


def test_lines_and_levels(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(str(path), "notice")
    log.write("verbose", "hidden")
    log.notice("shown\n1 2026-01-01 00:00:00.000 notice   forged")
    log.set_level("debug")
    log.write("debug", "now too \udcff")
    text = path.read_text()
    log.close()
    assert "hidden" not in text
    assert re.search(r"^\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} notice   shown\n    1 2026", text)
    assert "now too" in text


def test_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(str(path), "notice")
    log.notice("first")
    path.rename(tmp_path / "old")
    log.notice("second")
    log.reopen()
    log.notice("third")
    log.close()
    assert "second" in (tmp_path / "old").read_text()
    assert "third" in path.read_text() and "second" not in path.read_text()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"logfile: cannot open .*nowhere"):
        Log(str(tmp_path / "nowhere" / "log"), "notice")
