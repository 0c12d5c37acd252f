"""conf/respkv.conf says what the code says: every directive, default, unit and reason, and nothing else."""

import re
from pathlib import Path

import pytest

from respkv.config import Config, load
from respkv.config.directive import Change, Directive
from respkv.config.directives import DIRECTIVES, REFUSED, SECTIONS
from respkv.config.kept import KEPT

TEXT = (Path(__file__).resolve().parents[3] / "conf" / "respkv.conf").read_text()
ENTRY = re.compile(
    r"^# (?P<title>[a-z-]+(?: \(.*\))?)\n(?P<comment>(?:#.*\n)+)(?P<line>[a-z-]+ .*)\n", re.MULTILINE
)
OURS = [directive for _, section in SECTIONS for directive in section]


def entries() -> dict[str, re.Match[str]]:
    return {match["line"].split()[0]: match for match in ENTRY.finditer(TEXT)}


@pytest.mark.parametrize("directive", OURS, ids=lambda d: d.name)
def test_an_entry_says_what_the_table_says(directive: Directive) -> None:
    match = entries()[directive.name]
    marks = [directive.unit] if directive.unit else []
    marks += ["at start only"] if directive.change is not Change.FREE else []
    assert match["title"] == directive.name + (f" ({'; '.join(marks)})" if marks else "")
    comment = re.sub(r"\s*\n# ", " ", "\n" + match["comment"]).strip()
    assert comment == f"Takes {directive.kind.expected}. {directive.reason}"
    assert match["line"] == f"{directive.name} {directive.default}"


def test_nothing_is_missing_and_nothing_is_too_much() -> None:
    assert list(entries()) == [directive.name for directive in OURS]
    active = [line.split()[0] for line in TEXT.splitlines() if line and not line.startswith("#")]
    assert active == [directive.name for directive in OURS]
    assert {d.name for d in [*OURS, *KEPT, *REFUSED]} == set(DIRECTIVES)


def test_kept_and_refused_ones_are_listed() -> None:
    for directive in [*KEPT, *REFUSED]:
        assert f"\n# {directive.name} {directive.default or chr(34) * 2}" in TEXT, directive.name
        assert directive.also in TEXT
    for directive in REFUSED:
        assert directive.reason in re.sub(r"\n# ", " ", TEXT)


def test_the_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "respkv.conf"
    file.write_text(TEXT)
    assert list(load([str(file)]).show()) == list(Config().show())
