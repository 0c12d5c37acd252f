"""Run C test programs side by side and say how long each took.

A program passes when it exits with 0 and its last line is "N passed, 0 failed", N above 0: one that stops
early, or that runs nothing, has not passed. The output of a failed program is shown whole.
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

CLOSING_LINE = re.compile(r"^([1-9]\d*) passed, 0 failed$")
SECONDS_MAX = 900


class Outcome(NamedTuple):
    """What became of one program."""

    name: str
    passed: int
    seconds: float
    output: str


def run(path: str) -> Outcome:
    """Run one program; passed is 0 when it failed in any way."""
    begin = time.monotonic()
    try:
        done = subprocess.run(
            [path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS_MAX, check=False
        )
        output = done.stdout.decode(errors="replace")
        lines = output.rstrip().splitlines()
        closing = CLOSING_LINE.match(lines[-1]) if lines else None
        passed = int(closing[1]) if closing and done.returncode == 0 else 0
        if not passed:
            output += f"\n(exit status {done.returncode})"
    except subprocess.TimeoutExpired as late:
        passed = 0
        output = (late.stdout or b"").decode(errors="replace") + f"\n(stopped after {SECONDS_MAX} s)"
    return Outcome(Path(path).name, passed, time.monotonic() - begin, output)


def main(paths: list[str]) -> int:
    """Run them all, the report last."""
    if not paths:
        print("no test programs")
        return 1
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = list(pool.map(run, paths))
    failed = [o for o in outcomes if not o.passed]
    for o in failed:
        print(f"---- {o.name} failed:\n{o.output}")
    for o in sorted(outcomes, key=lambda o: -o.seconds):
        print(f"{o.seconds:8.2f} s  {o.name:32} {f'{o.passed} passed' if o.passed else 'FAILED'}")
    total = sum(o.passed for o in outcomes)
    print(f"{total} native tests passed, {len(failed)} of {len(outcomes)} programs failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
