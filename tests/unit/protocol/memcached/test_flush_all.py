"""flush_all: what memcached's clients mean by its delay."""

from __future__ import annotations

import pytest

from memrep.engine.operations import FLUSHED
from memrep.protocol.memcached.flush_all import flush_all
from tests.harness.engine_fixture import Rig


@pytest.mark.parametrize("delay", [0, -1])
def test_without_a_delay_everything_ends_at_once(delay: int) -> None:
    rig = Rig()
    rig.engine.add(b"a", 0, rig.clock.now + 1000, b"x")
    assert flush_all(rig.engine, delay) is FLUSHED
    assert rig.engine.get(b"a") is None


def test_with_a_delay_in_seconds_everything_ends_when_it_has_passed() -> None:
    rig = Rig()
    rig.engine.add(b"a", 0, rig.clock.now + 10_000, b"x")
    assert flush_all(rig.engine, 2) is FLUSHED
    assert rig.engine.get(b"a") is not None
    assert rig.engine.flush.due == rig.clock.now + 2000
