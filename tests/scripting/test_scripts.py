"""Every script of scripts/*.lua, run by redis-server and by the room: the replies are the same bytes."""

import pytest

from scripting.cases import Case, read_cases
from scripting.twin import Twin

CASES = read_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_replies_are_equal(twin: Twin, case: Case) -> None:
    theirs, ours = twin.script(case.text, case.keys, case.arguments, resp=case.resp, data=case.data)
    assert ours == theirs


def test_the_cases_are_read() -> None:
    assert len(CASES) > 500
    assert any(case.data for case in CASES) and any(case.resp == 3 for case in CASES)


def test_a_difference_would_be_seen(twin: Twin) -> None:
    theirs = twin.clients[2].raw("EVAL", "return 1", 0)
    assert twin.ours("EVAL", "return 2", 0) != theirs
