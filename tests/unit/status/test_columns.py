"""Tables of a few columns."""

from __future__ import annotations

from memrep.status.columns import left_out, lined_up


def test_words_stand_to_the_left_and_figures_to_the_right() -> None:
    assert lined_up(("NAME", "N"), [("a", "100"), ("longer", "1")], {"NAME"}) == [
        "NAME     N",
        "a      100",
        "longer   1",
    ]


def test_what_is_not_shown_is_counted() -> None:
    assert left_out(0) == left_out(-3) == []
    assert left_out(1_234) == ["and 1,234 more; -w json has all"]
