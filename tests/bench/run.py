"""`make bench`: the tables of ratios. ARGS="servers engine stores" picks some, ROUNDS how many rounds (5)."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import engine, servers, stores
from bench.report import OUT

SECTIONS = {"servers": servers.main, "engine": engine.main, "stores": stores.main}


def main(names: list[str]) -> int:
    """Run the sections; exit 1 if a goal was missed."""
    rounds = int(os.environ.get("ROUNDS", "5"))
    met = [SECTIONS[name](rounds) for name in names or SECTIONS]
    print(f"kept in {OUT}")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
