"""Prometheus's text format, version 0.0.4: figures in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Metric(NamedTuple):
    """One figure. kind: "counter" or "gauge"."""

    name: str
    kind: str
    help: str
    samples: list[tuple[Mapping[str, str], float]]


def single(name: str, kind: str, help_text: str, value: float) -> Metric:
    """Return a metric with one sample and no labels."""
    return Metric(name, kind, help_text, [({}, value)])


def escaped(text: str) -> str:
    """Return a label's value as it is written between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def render(metrics: Iterable[Metric]) -> str:
    """Return metrics as text."""
    lines: list[str] = []
    for metric in metrics:
        lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}")
        for labels, value in metric.samples:
            inside = ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())
            shown = f"{value:d}" if isinstance(value, int) else f"{value:.9g}"
            lines.append(f"{metric.name}{{{inside}}} {shown}" if inside else f"{metric.name} {shown}")
    return "\n".join(lines) + "\n"
