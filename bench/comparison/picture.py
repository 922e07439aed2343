"""The picture: for each set-up and story a small plot of how long pages took, and what was wrong with them.

matplotlib draws it (the extra `bench`); without it there is no picture, and the table is all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.comparison.pages import FAILED, LOST, SLICE_S, STALE, Measured
from bench.comparison.setups import SETUPS
from bench.comparison.stories import STORIES

#: Colours that people tell apart who do not see red and green, each with a shape of its own.
_MARKS: Final = {LOST: ("#d55e00", "o"), STALE: ("#cc79a7", "s"), FAILED: ("#e69f00", "^")}
_GREY: Final = "#9aa5b1"
_SHADE: Final = "#dde4ea"
_LEAST_MS: Final = 0.5
_CALM: Final = "calm"


#: What the small picture has: one set-up of each kind, and the faults that tell them apart.
SMALL: Final = {"memcached", "redis-named", "memrep-memcache"}, {"kill", "freeze", "isolate"}


def small(all_measured: Sequence[Measured]) -> list[Measured]:
    """Those of the small picture."""
    setups, stories = SMALL
    return [measured for measured in all_measured if measured.setup in setups and measured.story in stories]


def draw(all_measured: Sequence[Measured], file: Path) -> bool:
    """Draw the picture; return whether there is something to draw, and to draw it with."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 (only whoever wants a picture needs it)
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return False
    found = {(measured.setup, measured.story): measured for measured in all_measured}
    setups = [name for name in SETUPS if any(setup == name for setup, _ in found)]
    stories = [name for name in STORIES if name != _CALM and any(story == name for _, story in found)]
    if not stories:
        return False
    # Text stays text, and the same numbers make the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "memrep", "font.size": 8}):
        figure = Figure(figsize=(2.0 * len(stories) + 1.6, 1.1 * len(setups) + 1.0), layout="constrained")
        axes = figure.subplots(len(setups), len(stories), sharex=True, sharey=True, squeeze=False)
        for setup, row in zip(setups, axes, strict=True):
            label = SETUPS[setup].label.replace(", ", "\n").replace(" by ", "\nby ")
            row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
            for story, plot in zip(stories, row, strict=True):
                if (setup, story) in found:
                    _panel(plot, found[setup, story])
        for story, top, bottom in zip(stories, axes[0], axes[-1], strict=True):
            top.set_title(STORIES[story].label, fontsize=9)
            bottom.set_xlabel("seconds behind the fault")
        figure.legend(handles=_legend(), loc="outside upper center", ncols=5, frameon=False)
        figure.savefig(file, metadata={"Date": None})
    return True


def _panel(plot: Any, measured: Measured) -> None:
    slowest_ms = {round(part.at_s / SLICE_S): part.slowest_ms for part in measured.slices}
    numbers = range(min(slowest_ms), max(slowest_ms) + 1)
    edges = [number * SLICE_S for number in [*numbers, numbers.stop]]
    plot.axvspan(0, measured.over_s, color=_SHADE)
    plot.stairs(
        [slowest_ms.get(number, _LEAST_MS) for number in numbers],
        edges,
        baseline=_LEAST_MS,
        fill=True,
        color=_GREY,
    )
    for kind, (colour, shape) in _MARKS.items():
        parts = [part for part in measured.slices if kind in part.wrong_ms]
        plot.scatter(
            [part.at_s + SLICE_S / 2 for part in parts], [part.wrong_ms[kind] for part in parts],
            s=14, c=colour, marker=shape, linewidths=0, zorder=3,
        )  # fmt: skip
    plot.set_yscale("log")
    plot.set_ylim(_LEAST_MS, 60_000)
    plot.set_yticks([10, 100, 1_000, 10_000], ["10 ms", "0.1 s", "1 s", "10 s"])
    plot.minorticks_off()
    for side in ("top", "right"):
        plot.spines[side].set_visible(False)
    wrong = [f"{count} {kind}" for kind in _MARKS if (count := getattr(measured, kind))]
    told = ", ".join(wrong) or "nothing wrong"
    plot.text(0.98, 0.97, told, transform=plot.transAxes, ha="right", va="top", fontsize=7.5)


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    words = {LOST: "page lost its session", STALE: "stale session", FAILED: "page failed"}
    marks = [
        Line2D([], [], color=colour, marker=shape, linestyle="", label=words[kind])
        for kind, (colour, shape) in _MARKS.items()
    ]
    return [Patch(color=_GREY, label="slowest page"), Patch(color=_SHADE, label="the fault"), *marks]
