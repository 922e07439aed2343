"""The stories: each comes out as it is written, and goes red where a rule is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests import stories
from tests.simulation.refinements import REFINEMENTS
from tests.simulation.rule_mutations import BREAKAGES
from tests.unit.replication.stories.script import PATHS, BadStory, Story, read

#: Of each of these rules this story tells.
TOLD_BY = {
    "drops-what-votes-carry": "coordinator_dies",
    "accepts-on-any-base": "rival_increments",
    "lets-a-plain-write-yield": "older_plain_write",
    "ignores-gaps": "lost_frame",
    "goes-on-after-its-vote": "late_write_after_vote",
    "executes-what-came-while-it-was-stopped": "stopped",
    "serves-without-leases": "cut_off",
    "goes-on-beside-who-is-deaf": "one_way",
    "forgets-deletes": "restart",
    "yields-nothing": "idle_half",
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_story_comes_out_as_it_is_written(path: Path) -> None:
    story = read(path)
    difference = story.difference(story.replayed())
    if difference:
        pytest.fail(difference, pytrace=False)


@pytest.mark.parametrize(("mutation", "name"), TOLD_BY.items(), ids=TOLD_BY)
def test_a_story_goes_red_where_the_rule_is_broken_of_which_it_tells(
    mutation: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = (path for path in PATHS if path.stem == name)
    story = read(path)
    taken_away = BREAKAGES.get(mutation) or REFINEMENTS[mutation]
    taken_away.breaks(monkeypatch)
    try:
        noticed = story.difference(story.replayed())
    except (BadStory, AssertionError) as error:  # they do not agree, or they never stop talking
        noticed = str(error)
    assert noticed


def test_every_story_begins_with_what_it_is_about_and_ends_in_one_line() -> None:
    assert len(PATHS) > 20
    for path in PATHS:
        text = path.read_text("utf-8")
        assert text.startswith("# "), path.name
        assert text.endswith("\n") and not text.endswith("\n\n"), path.name
        assert max(map(len, text.splitlines())) <= 120, path.name


# --- make story


def _tell(monkeypatch: pytest.MonkeyPatch, path: Path, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(stories, "PATHS", [path])
    told = CliRunner().invoke(stories.main, arguments)
    return told.exit_code, told.output


def test_a_story_is_written_anew_only_if_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.txt"
    path.write_text("# New.\nstart 1 2\n", "utf-8")
    code, told = _tell(monkeypatch, path)
    assert code == 1
    assert "+     0  1 2 are 1.1 serves\n" in told
    assert path.read_text("utf-8") == "# New.\nstart 1 2\n"
    assert _tell(monkeypatch, path, "--rewrite")[0] == 0
    assert path.read_text("utf-8") == "# New.\nstart 1 2\n----\n     0  1 2 are 1.1 serves\n"
    assert _tell(monkeypatch, path, "new") == (0, "1 stories: 0 come out otherwise, 0 cannot be told\n")


def test_what_cannot_be_told_is_not_written_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("# Bad.\nstart 1 2\nhold 1-2\n", "utf-8")
    code, told = _tell(monkeypatch, path, "--rewrite")
    assert code == 1
    assert told.startswith("bad.txt:3: hold 1-2: '1-2' is no way, as 1>2\n")
    assert path.read_text("utf-8") == "# Bad.\nstart 1 2\nhold 1-2\n"


def test_a_name_that_no_story_has_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = _tell(monkeypatch, tmp_path / "a.txt", "b")
    assert code == 1
    assert told == "Error: no story has b in its name\n"


def test_a_story_that_no_rewriting_makes_true_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story("s.txt", "start 1 2 3\nclient 1 set k v\nlose 1>3\nagree k\n")
    assert "'k': at 1 2 3 'v'" in story.replayed()
    BREAKAGES["ignores-gaps"].breaks(monkeypatch)
    with pytest.raises(BadStory, match=r"^s\.txt:4: agree k: they do not agree: .* 'k': "):
        story.replayed()
