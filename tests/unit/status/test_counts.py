"""Each counter of a node is told by one metric, once, or it is said why not."""

from __future__ import annotations

import attrs

from memrep.engine.counters import Counters
from memrep.status.counts import COUNTS, TOLD_OTHERWISE

TOLD = [field for _, _, _, fields in COUNTS for field in fields.values()]


def test_every_counter_is_told_once_or_otherwise() -> None:
    assert len(TOLD) == len(set(TOLD))
    assert {field.name for field in attrs.fields(Counters)} == {*TOLD, *TOLD_OTHERWISE}
    assert not set(TOLD) & set(TOLD_OTHERWISE)


def test_each_series_has_a_value_for_each_label() -> None:
    for name, _, labels, fields in COUNTS:
        assert {len(values) for values in fields} == {len(labels)}, name
