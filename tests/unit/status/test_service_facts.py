"""Whether a node is in service, as JSON: it comes back as it was sent, and may have more fields one day."""

from __future__ import annotations

import msgspec

from memrep.status.service_facts import DRAINED, LAME_DUCK_S, WAIT_S, DrainOrder, ServiceStatus


def test_it_comes_back_as_it_was_sent() -> None:
    told = ServiceStatus("10.1.1.1:11211", DRAINED, ready=False, why="it was drained")
    assert msgspec.json.decode(msgspec.json.encode(told), type=ServiceStatus) == told


def test_an_order_that_says_nothing_is_one_and_what_is_unknown_in_it_does_no_harm() -> None:
    order = msgspec.json.decode(b'{"more": 1}', type=DrainOrder)
    assert order == DrainOrder(wait_s=WAIT_S, lame_duck_s=LAME_DUCK_S, force=False)
