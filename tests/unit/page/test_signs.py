"""A sign for each state, told apart without its colour."""

from __future__ import annotations

from memrep.page.signs import CHANGING, mark, sign_of, sign_of_severity
from memrep.status.facts import DOWN, JOINING, LEAVING, SERVING, SILENT, STARTING, WAITING

STATES = (STARTING, JOINING, WAITING, SERVING, LEAVING, SILENT, DOWN)


def test_each_state_has_a_shape_of_its_own() -> None:
    assert len({sign_of(state).path for state in STATES}) == len(STATES)


def test_a_state_of_a_later_version_has_a_sign_too() -> None:
    assert sign_of("pondering").tone == "warning"


def test_each_severity_has_a_shape_of_its_own() -> None:
    assert len({sign_of_severity(severity).path for severity in ("", CHANGING, "warning", "critical")}) == 4


def test_a_mark_is_not_read_out_for_its_word_is() -> None:
    assert 'aria-hidden="true"' in mark(sign_of(DOWN))
