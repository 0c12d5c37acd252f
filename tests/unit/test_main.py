"""The command line itself."""

from pathlib import Path

import pytest

from respkv import __version__
from respkv.__main__ import main


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"respkv {__version__}\n"
    assert main(["--help"]) == 0
    assert "usage: respkv-server" in capsys.readouterr().out


def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--prot", "1"]) == 1
    assert capsys.readouterr().err == (
        'respkv-server: command line: there is no directive "prot" (did you mean "port"?)\n'
    )


def test_verify_and_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from respkv.native import Store
    from respkv.storage.batch import BatchWriter

    directory = str(tmp_path / "store")
    assert main(["--verify", "--dir", directory]) == 1
    assert "there is no directory" in capsys.readouterr().err
    store = Store.open(directory)
    batch = BatchWriter(store.tick(), 1)
    batch.put(b"key", b"value")
    store.write(batch.encode())
    store.flush()
    store.close()
    assert main(["--verify", "--dir", directory]) == 0
    assert "0 problems" in capsys.readouterr().out
    (table,) = Path(directory).glob("*.sst")
    data = bytearray(table.read_bytes())
    data[10] ^= 1
    table.write_bytes(data)
    assert main(["--verify", "--dir", directory]) == 1
    assert table.name in capsys.readouterr().out
    assert main(["--repair", "--dir", directory]) == 0
