"""Random programs on both servers: the same replies, and at the end the same store."""

import itertools
import time
from typing import Any

import pytest

from compat.case import Step
from compat.compare import meant, same
from compat.program import DATABASES, Program
from harness.process import Server
from harness.wire import Wire, encode

PROGRAMS = 6
STEPS = 2500


@pytest.mark.parametrize("nth", range(PROGRAMS))
def test_random_program(nth: int, seed: int, peer: Server, ours: Server) -> None:
    seed += nth
    print(f"SEED={seed} (program 0)")
    program = Program(seed, int(time.time() * 1000))
    resp = 2 + seed % 2
    with peer.wire(resp=resp) as redis, ours.wire(resp=resp) as us:
        assert redis("FLUSHALL") == us("FLUSHALL") == "OK"
        log: list[Step] = []
        while len(log) < STEPS:
            steps = [program.step() for _ in range(program.random.choice([1, 1, 1, 5, 50]))]
            expected = redis.raw_many(s.arguments for s in steps)
            got = in_pieces(us, program, steps)
            for step, theirs, mine in zip(steps, expected, got, strict=True):
                log.append(step)
                if not same(step, theirs, mine) and not meant(step.arguments, theirs, mine):
                    pytest.fail(explain(seed, log, theirs, mine))
        for database in range(DATABASES):
            redis("SELECT", database)
            us("SELECT", database)
            compare_stores(redis, us)


def in_pieces(wire: Wire, program: Program, steps: list[Step]) -> list[bytes]:
    """Send a pipeline cut at random places, so that commands arrive in halves."""
    data = b"".join(encode(*s.arguments) for s in steps)
    cuts = sorted(program.random.randrange(len(data) + 1) for _ in range(program.random.choice([0, 0, 3])))
    for begin, end in itertools.pairwise([0, *cuts, len(data)]):
        wire.send(data[begin:end])
    return [wire.reply() for _ in steps]


def compare_stores(redis: Wire, us: Wire) -> None:
    """Every key, type, value and time to live of the selected database."""
    names = sorted(redis("KEYS", "*"))
    assert sorted(us("KEYS", "*")) == names
    assert us("DBSIZE") == redis("DBSIZE") == len(names)
    for name in names:
        assert us("TYPE", name) == redis("TYPE", name)
        assert us("GET", name) == redis("GET", name)
        mine, theirs = us("PTTL", name), redis("PTTL", name)
        assert (mine < 0) == (theirs < 0) and abs(mine - theirs) < 3000, name


def explain(seed: int, log: list[Step], redis: bytes, ours: bytes) -> str:
    """What differs, and the commands before it that share a word with it."""
    *before, last = log
    words: set[Any] = set(last.arguments[1:])
    related = [
        s.text for s in before if words & set(s.arguments[1:]) or s.arguments[0].upper() in (b"SELECT",)
    ]
    lines = [f"SEED={seed}, command {len(log)}", *related[-25:], f"-> {last.text}"]
    return "\n".join([*lines, f"redis: {redis[:300]!r}", f"ours:  {ours[:300]!r}"])
