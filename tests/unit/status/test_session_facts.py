"""Sessions as JSON: they come back as they were sent, whatever bytes they hold."""

from __future__ import annotations

import msgspec

from memrep.status.session_facts import KilledStatus, KillOrder, SessionsStatus
from tests.unit.status.test_session_list import SESSION, TOLD


def test_they_come_back_as_they_were_sent() -> None:
    told = msgspec.structs.replace(TOLD, sessions=[msgspec.structs.replace(SESSION, value=bytes(range(256)))])
    assert msgspec.json.decode(msgspec.json.encode(told), type=SessionsStatus) == told
    order = KillOrder(match=b"\x00\xff", prefix="shop:")
    assert msgspec.json.decode(msgspec.json.encode(order), type=KillOrder) == order
    killed = KilledStatus(node="10.1.1.1:11211", ended=1, locked=0, missing=["a"])
    assert msgspec.json.decode(msgspec.json.encode(killed), type=KilledStatus) == killed
