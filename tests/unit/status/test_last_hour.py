"""The last hour, as it is told to whoever draws it."""

from __future__ import annotations

import msgspec

from memrep.status.last_hour import EACH_S, SPAN_S, LastHour


def test_a_node_that_has_just_begun_has_none() -> None:
    assert not any(msgspec.structs.astuple(LastHour()))


def test_samples_come_out_even() -> None:
    assert SPAN_S % EACH_S == 0
