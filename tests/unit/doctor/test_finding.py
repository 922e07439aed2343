"""A finding says whether there is something to do."""

from __future__ import annotations

import pytest

from memrep.doctor.finding import Finding, Verdict


@pytest.mark.parametrize(
    ("verdict", "bad"), [("ok", False), ("note", False), ("warning", True), ("wrong", True)]
)
def test_only_what_wants_something_done_is_bad(verdict: Verdict, bad: bool) -> None:
    assert Finding("ports", verdict, "text").is_bad is bad
