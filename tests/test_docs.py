"""The pages of docs/ name what is there."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest

import memrep
from memrep.cli.main import cli
from memrep.handlers.places import parse_place
from tests.diagrams import DIAGRAMS, PAGE, drawn
from tests.metrics_page import PAGE as METRICS_PAGE
from tests.metrics_page import written

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
    pages = [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pictures_are_shown_somewhere_and_small_enough_for_a_repository() -> None:
    pages = "".join(page.read_text("utf-8") for page in [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")])
    pictures = list(DOCS.rglob("*.png"))
    assert pictures
    for picture in pictures:
        assert f"{picture.name})" in pages, picture.name
        assert picture.stat().st_size < 150_000, picture.name


def test_the_diagrams_of_states_are_those_of_the_tables() -> None:
    text = PAGE.read_text("utf-8")
    assert drawn(text) == text, "tools/draw-states draws them anew"
    assert text.count("stateDiagram-v2") == len(DIAGRAMS)


def test_the_table_of_metrics_is_what_a_node_tells() -> None:
    """So no name, kind or label changes by chance: they are in other people's alarms."""
    text = METRICS_PAGE.read_text("utf-8")
    assert written(text) == text, "tools/write-metrics writes it anew"


def test_every_tool_that_works_is_run_by_a_test_and_every_such_test_is_on_the_page() -> None:
    rows = _rows("monitoring.md")
    named = {test.strip("`") for *_, test in rows}
    assert {verdict for _, _, verdict, _ in rows} == {"works"}
    real = DOCS.parent / "tests" / "real"
    there = {
        name
        for path in real.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert named - there == set()
    watchers = re.findall(r"^def (test_\w+)", (real / "test_watchers.py").read_text("utf-8"), re.MULTILINE)
    assert set(watchers) <= named


def test_every_command_of_the_page_on_moving_is_one() -> None:
    page = (DOCS / "moving.md").read_text("utf-8")
    lines = [line for line in page.splitlines() if re.match(r" {4}memrep (import|dump|restore) [^F\[]", line)]
    assert len(lines) > 12
    for line in lines:
        words = shlex.split(re.split(r" {4,}", line.strip())[0])[1:]
        command = cli.get_command(click.Context(cli), words[0])
        assert command is not None
        context = command.make_context(words[0], words[1:])
        if words[0] == "import":
            assert parse_place(context.params["origin"]), line


#: Pages that lead through the code.
GUIDES = [
    "docs/walkthrough.md",
    "CONTRIBUTING.md",
    "docs/debugging.md",
    "docs/design.md",
    "docs/replication.md",
]
GUIDES += [f"docs/decisions/{page.name}" for page in (DOCS / "decisions").glob("*.md")]


def _members() -> dict[str, set[str]]:
    """The classes of memrep, and what is defined or set in each."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(re.findall(r"\w+", ast.unparse(node)))
    return found


@pytest.mark.parametrize("page", GUIDES)
def test_a_guide_names_files_and_members_that_are_there(page: str) -> None:
    text = (DOCS.parent / page).read_text("utf-8")
    sources = (path for path in DOCS.parent.rglob("*.py") if ".venv" not in path.parts)
    files = {str(path.relative_to(DOCS.parent)) for path in sources}
    for name in re.findall(r"[\w/]+\.py\b", text):
        assert any(file == name or file.endswith(f"/{name}") for file in files), name
    members = _members()
    for owner, member in re.findall(r"`([A-Z]\w+)\.(\w+)`", text):
        if owner in members:
            assert member in members[owner], f"{owner}.{member}"


def test_every_finding_of_replication_is_cited_where_it_was_mended() -> None:
    text = (DOCS / "replication.md").read_text("utf-8")
    numbers = {int(number) for number in re.findall(r"^(\d+)\. \*\*", text, re.MULTILINE)}
    assert numbers == set(range(1, len(numbers) + 1))
    code = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    cited: set[int] = set()
    for several in re.findall(
        r"(?:[Ff]indings?|[Rr]ules?)\s+(\d+(?:(?:,| and| to)\s+\d+)*)", re.sub(r"\n\s*#?", " ", code)
    ):
        cited |= {int(number) for number in re.findall(r"\d+", several)}
    assert numbers - cited == set()


def test_every_rule_of_replication_is_cited_where_it_is_kept() -> None:
    text = (DOCS / "replication.md").read_text("utf-8")
    named = re.findall(r"^- ((?:[A-Z]\d(?:, )?)+) ", text, re.MULTILINE)
    rules = {rule for line in named for rule in line.split(", ")}
    assert len(rules) > 20
    code = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    assert {rule for rule in rules if not re.search(rf"\b{rule}\b", code)} == set()
