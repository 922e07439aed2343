"""The pages of docs/ name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import memrep
from tests.diagrams import DIAGRAMS, PAGE, drawn

PACKAGE = Path(memrep.__file__).parent
DOCS = PACKAGE.parent / "docs"


def _rows(page: str) -> list[list[str]]:
    """The cells of a page's tables, without their headings."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return cells[1:]


def test_the_glossary_is_in_order_and_names_rooms_that_are_there() -> None:
    rows = _rows("glossary.md")
    words = [word for word, _, _ in rows]
    assert len(words) > 25
    assert words == sorted(words)
    for word, meaning, room in rows:
        assert meaning, word
        assert (PACKAGE / room).exists(), room


def test_links_between_pages_lead_somewhere() -> None:
    pages = [DOCS.parent / "README.md", *DOCS.glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_diagrams_of_states_are_those_of_the_tables() -> None:
    text = PAGE.read_text("utf-8")
    assert drawn(text) == text, "tools/draw-states draws them anew"
    assert text.count("stateDiagram-v2") == len(DIAGRAMS)
