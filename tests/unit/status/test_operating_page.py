"""docs/operating.md tells of every check and of every kind of problem, in the words of the code.

`python -m tests.unit.status.test_operating_page` writes both tables into the page anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import memrep
from memrep.status.checks import CHECKS
from memrep.status.problems import KINDS

PAGE: Final = Path(memrep.__file__).parents[1] / "docs" / "operating.md"
TABLES: Final[dict[str, Mapping[str, str]]] = {
    "check": {name: check.claim for name, check in CHECKS.items()},
    "kind": KINDS,
}


def _table(head: str) -> str:
    return "".join(f"| `{name}` | {words} |\n" for name, words in TABLES[head].items())


def _with_tables(page: str) -> str:
    for head in TABLES:
        page = re.sub(
            rf"(^\| {head} \|[^\n]*\n\|---\|---\|\n)(?:\|[^\n]*\n)*",
            lambda found, head=head: found[1] + _table(head),  # type: ignore[misc]
            page,
            flags=re.MULTILINE,
        )
    return page


def test_the_page_has_the_checks_and_the_problems_as_they_are() -> None:
    page = PAGE.read_text()
    assert all(_table(head) in page for head in TABLES), "python -m tests.unit.status.test_operating_page"


if __name__ == "__main__":
    PAGE.write_text(_with_tables(PAGE.read_text()))
