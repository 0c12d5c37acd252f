"""Rows of ratios: collected over alternating rounds, printed as Markdown, kept in build/bench."""

import os
import platform
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "build" / "bench"


@dataclass
class Row:
    """One workload: the peer's figures and ours, a pair a round; more is better."""

    name: str
    goal: float | None = None
    peer: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    peer_p99_ms: list[float] = field(default_factory=list)
    ours_p99_ms: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: a round's two runs share the machine's mood."""
        return statistics.median(o / p for o, p in zip(self.ours, self.peer, strict=True) if p)

    @property
    def p99_ratio(self) -> float:
        """Our 99th percentile over the peer's; less is better."""
        return statistics.median(self.ours_p99_ms) / statistics.median(self.peer_p99_ms)

    def cells(self) -> list[str]:
        """The row as text."""
        ratios = sorted(o / p for o, p in zip(self.ours, self.peer, strict=True) if p)
        cells = [self.name, amount(statistics.median(self.peer)), amount(statistics.median(self.ours))]
        cells += [f"**{self.ratio:.2f}**", f"{ratios[0]:.2f} to {ratios[-1]:.2f}"]
        if self.goal is None:
            cells += ["", ""]
        else:
            cells += [f"{self.goal:.1f}", "met" if self.ratio >= self.goal else "MISSED"]
        if self.ours_p99_ms:
            cells += [f"{statistics.median(ms):.2f}" for ms in (self.peer_p99_ms, self.ours_p99_ms)]
        else:
            cells += ["", ""]
        return [*cells, self.note]


def amount(figure: float) -> str:
    """Thousands with a separator, small figures with decimals."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def table(title: str, peer: str, unit: str, rows: list[Row], remarks: list[str]) -> str:
    """A section: a title, the table, and how the figures were made."""
    head = ["workload", f"{peer}, {unit}", f"respkv, {unit}", "ratio", "of rounds", "goal", ""]
    head += [f"{peer} p99 ms", "respkv p99 ms", "note"]
    cells = [head, ["---", *["---:"] * 5, "---", "---:", "---:", "---"], *(r.cells() for r in rows)]
    used = [i for i in range(len(head)) if i < 4 or any(r[i] for r in cells[2:])]
    lines = ["| " + " | ".join(r[i] for i in used) + " |" for r in cells]
    return "\n".join([f"## {title}", "", *lines, "", *(f"- {r}" for r in remarks), ""])


def machine() -> str:
    """What ran, and how busy it was."""
    model = next((x.split(":")[1].strip() for x in _lines("/proc/cpuinfo") if x.startswith("model name")), "")
    load = " ".join(f"{x:.2f}" for x in os.getloadavg())
    stamp = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, {stamp} UTC, load {load}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def publish(name: str, text: str) -> None:
    """Print a section and keep it as build/bench/NAME.md."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.md").write_text(text)
    print(text, flush=True)
