"""Events: each can be told, is told somewhere with all that its sentence needs, and is in docs/log.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import memrep
from memrep import events
from memrep.events import EVENTS, Event, Level

PACKAGE = Path(memrep.__file__).parent

#: By the name that the code has for it.
NAMED = {name: each for name, each in vars(events).items() if isinstance(each, Event)}


def _calls() -> list[tuple[str, ast.Call]]:
    """Where an event is told, wherever in memrep."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMED:
                found.append((node.func.id, node))
    return found


def test_an_event_has_a_name_of_its_own_for_programs() -> None:
    assert len(EVENTS) == len(NAMED) > 40
    for name in EVENTS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)


def test_who_tells_an_event_tells_all_that_its_sentence_needs() -> None:
    """So none of these calls can fail when it is made, which may be once in years."""
    for name, call in _calls():
        given = {keyword.arg for keyword in call.keywords}
        assert None in given or set(NAMED[name].fields) <= given, ast.unparse(call)
        assert not call.args, ast.unparse(call)


def test_every_event_is_told_somewhere() -> None:
    used = {name for name, _ in _calls()}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "events.py":
            used |= NAMED.keys() & set(re.findall(r"\b[A-Z_]{4,}\b", _without_imports(path)))
    assert NAMED.keys() - used == set()


def _without_imports(path: Path) -> str:
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.unparse(tree)


def test_no_field_bears_a_name_that_each_line_of_json_has_already() -> None:
    reserved = {"ts", "level", "event", "node", "message"}
    for name, each in NAMED.items():
        assert not reserved & set(each.fields), name
    for name, call in _calls():
        assert not reserved & {keyword.arg for keyword in call.keywords}, name


def test_a_part_in_brackets_is_left_out_if_what_it_tells_is_empty() -> None:
    event = Event("tries", Level.INFO, "{who} tries[ for {seconds:.1f} s][, {why}]")
    assert event(who="[::1]", seconds=2, why="it must") == "[::1] tries for 2.0 s, it must"
    assert event(who="somebody", seconds=0, why="") == "somebody tries"


def test_a_line_has_what_it_was_made_of() -> None:
    line = events.SERVES(items=7)
    assert line == "serves clients: it holds everything (7 items)"
    assert (line.event, line.fields) == (events.SERVES, {"items": 7})


def test_the_page_on_the_log_has_each_event_with_its_level() -> None:
    page = (PACKAGE.parent / "docs" / "log.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert {name: level for name, level, _, _ in rows} == {
        name: each.level.word for name, each in EVENTS.items()
    }
    assert len(rows) == len(EVENTS)


@pytest.mark.parametrize("each", EVENTS.values(), ids=list(EVENTS))
def test_only_what_wants_a_person_is_a_warning_and_says_why(each: Event) -> None:
    """On the page a warning has something to do for a person, and nothing else has."""
    page = (PACKAGE.parent / "docs" / "log.md").read_text("utf-8")
    (todo,) = re.findall(rf"^\| `{each.name}` \| .* \| (.+) \|$", page, re.MULTILINE)
    assert (todo != "nothing") == (each.level <= Level.WARNING)
