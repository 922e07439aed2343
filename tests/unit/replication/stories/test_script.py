"""The form of a story: what a person wrote stays, and a mistake in it has a file and a line."""

from __future__ import annotations

import pytest

from tests.unit.replication.stories.script import BadStory, Block, Story

STARTED = "     0  1 2 are 1.1 serves\n"


def _replayed(text: str) -> str:
    return Story("a.txt", text).replayed()


def test_comments_and_blank_lines_stay_and_what_came_of_it_is_written_anew() -> None:
    text = "# One.\n\n\n# Two.\nstart 1 2\n# within\nlater 5\n----\nold\nlines\n\nkeys k\n----\n\n# The end.\n"
    assert _replayed(text) == (
        f"# One.\n\n\n# Two.\nstart 1 2\n# within\nlater 5\n----\n{STARTED}\n"
        "keys k\n----\n     5  'k': at 1 2 None\n\n# The end.\n"
    )


def test_a_story_that_was_replayed_is_replayed_the_same_again() -> None:
    once = _replayed("start 1 2\nclient 1 set k v\ndeliver\nwait 100\nshow 1 2\n")
    assert _replayed(once) == once
    assert Story("a.txt", once).difference(once) == ""


def test_commands_have_the_numbers_of_their_lines() -> None:
    story = Story("a.txt", "# One.\n\nstart 1 2\n# within\nlater 5\n----\nold\n\nkeys k\n")
    blocks = [part for part in story.parts() if isinstance(part, Block)]
    assert [list(block.commands()) for block in blocks] == [[(3, "start 1 2"), (5, "later 5")], [(9, "keys k")]]


def test_a_difference_is_a_unified_diff_that_says_how_to_regenerate() -> None:
    story = Story("a.txt", "start 1 2\n----\n     0  1 is 1.1\n")
    lines = story.difference(story.replayed()).splitlines()
    assert lines[:2] == ["--- a.txt as it is written", "+++ a.txt as it is now"]
    assert "-     0  1 is 1.1" in lines
    assert "+     0  1 2 are 1.1 serves" in lines
    assert "`make story`" in lines[-1]


@pytest.mark.parametrize(
    ("commands", "error"),
    [
        ("kill 1", "a.txt:1: kill 1: a scene begins with `start 1 2 3`"),
        (
            "start 1 2\n\n# It.\nfell 1",
            "a.txt:4: fell 1: there is no command 'fell'; stories/__init__.py has all",
        ),
        (
            "start 1 2\nquietly fell 1",
            "a.txt:2: quietly fell 1: there is no command 'fell'; stories/__init__.py has all",
        ),
    ],
)
def test_a_mistake_is_one_line_with_file_and_line(commands: str, error: str) -> None:
    with pytest.raises(BadStory) as raised:
        _replayed(f"{commands}\n")
    assert str(raised.value) == error
