"""Work in steps comes to the same as work in one go."""

from __future__ import annotations

from memrep.status.steps import Steps, each
from tests.harness.steps import at_once


def _told() -> Steps[str]:
    parts = yield from each(map(str, range(5)), 2)
    yield
    return "".join(parts)


def test_what_is_made_in_steps_is_returned_at_their_end() -> None:
    assert at_once(_told()) == "01234"
    assert len(list(_told())) == 3


def test_so_many_parts_are_made_in_a_step_and_no_more() -> None:
    made: list[int] = []

    def part(number: int) -> int:
        made.append(number)
        return number

    seen = [len(made) for _ in each(map(part, range(7)), 3)]
    assert (seen, len(made)) == ([3, 6], 7)
    assert at_once(each([], 3)) == []
