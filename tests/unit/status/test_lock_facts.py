"""Locks as JSON: they come back as they were sent."""

from __future__ import annotations

import msgspec

from memrep.status.lock_facts import LocksStatus
from tests.unit.status.test_lock_list import TOLD


def test_they_come_back_as_they_were_sent() -> None:
    assert msgspec.json.decode(msgspec.json.encode(TOLD), type=LocksStatus) == TOLD
