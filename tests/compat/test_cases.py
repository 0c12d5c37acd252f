"""Every case of cases/*.txt: our replies against redis-server's, byte by byte, under RESP2 and RESP3."""

import pytest

from compat.case import Case, load
from compat.compare import Difference, differences, run_both
from harness.process import Server

FILES = ["strings", "expiry", "keys", "connection", "server"]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("case", [pytest.param(c, id=f"{f}: {c.title}") for f in FILES for c in load(f)])
def test_case(case: Case, resp: int, peer: Server, ours: Server) -> None:
    with peer.wire(resp=resp) as redis, ours.wire(resp=resp) as us:
        assert redis("FLUSHALL") == us("FLUSHALL") == "OK"
        faults = run_both(redis, us, case.steps())
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize("difference", [pytest.param(d, id=d.name) for d in differences()])
def test_difference_is_still_one(difference: Difference, peer: Server, ours: Server) -> None:
    with peer.wire() as redis, ours.wire() as us:
        redis("FLUSHALL")
        us("FLUSHALL")
        *before, last = difference.example
        for arguments in before:
            redis.raw(*arguments)
            us.raw(*arguments)
        assert difference.command.fullmatch(b" ".join(last).decode("latin-1"))
        assert difference.redis.fullmatch(redis.raw(*last).decode("latin-1"))
        assert difference.ours.fullmatch(us.raw(*last).decode("latin-1"))
