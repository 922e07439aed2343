"""The ratios as pictures: how many times as much memrep takes as each of the others, on a logarithmic axis."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.report import Answer, Report
from bench.rounds import Spread, ratios

_INCHES_WIDE: Final = 8.0
_INCHES_A_BAR: Final = 0.28


def draw(report: Report, folder: Path) -> list[Path]:
    """One SVG for each section that compares; needs matplotlib."""
    import matplotlib  # noqa: PLC0415  (only `pip install .[bench]` has it)

    matplotlib.use("svg")
    from matplotlib import pyplot  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, answer in report.answers.items():
        bars = _bars(answer)
        if not bars:
            continue
        figure, axes = pyplot.subplots(figsize=(_INCHES_WIDE, 1 + _INCHES_A_BAR * len(bars)))
        medians = [bar.median for bar in bars.values()]
        below = [bar.median - bar.least for bar in bars.values()]
        above = [bar.most - bar.median for bar in bars.values()]
        axes.barh(list(bars), medians, xerr=[below, above], color="#4477aa", ecolor="#222222")
        axes.set_xscale("log")
        axes.axvline(1.0, color="#222222", linewidth=0.8)
        axes.invert_yaxis()
        axes.set_title(answer.title)
        axes.set_xlabel("memrep / this: median, least and most of the rounds")
        path = folder / f"{name}.svg"
        figure.savefig(path, bbox_inches="tight")
        pyplot.close(figure)
        drawn.append(path)
    return drawn


def _bars(answer: Answer) -> dict[str, Spread]:
    return {
        f"{what}: {who}": spread
        for what, shape in answer.shapes.items()
        for who in shape
        if (spread := ratios(shape, who))
    }
