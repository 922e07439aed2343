"""What is told of clients travels as JSON, and may be more than is known here."""

from __future__ import annotations

import msgspec

from memrep.status.client_facts import ClientsStatus, ClientStatus, HostSums

CLIENT = ClientStatus("10.1.1.1:4000", "10.1.1.1", "memcached", False, "conn_read", 12.0, 1.0, 30, 4_000)
TOLD = ClientsStatus("10.9.9.9:11211", 100.0, 1_024, [HostSums("10.1.1.1", 1, 5, 300, 40_000)], [CLIENT])


def test_it_comes_back_as_it_went() -> None:
    assert msgspec.json.decode(msgspec.json.encode(TOLD), type=ClientsStatus) == TOLD


def test_more_may_be_told_than_is_known() -> None:
    more = msgspec.json.encode({**msgspec.to_builtins(TOLD), "weather": "fine"})
    assert msgspec.json.decode(more, type=ClientsStatus) == TOLD
