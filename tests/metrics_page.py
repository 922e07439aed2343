"""Writes docs/metrics.md from the metrics of memrep: `python -m tests.metrics_page`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from memrep.status.metric import Metric
from memrep.status.metrics import METRICS

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"

_HEADING: Final = "| metric | kind | labels | meaning |\n|---|---|---|---|\n"


def _row(metric: Metric) -> str:
    labels = " ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |\n"


def written(text: str) -> str:
    """The page with its table as the metrics are now."""
    table = f"<!-- table -->\n{_HEADING}{''.join(map(_row, METRICS))}<!-- end -->"
    return re.sub(r"<!-- table -->\n.*?<!-- end -->", lambda _: table, text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
