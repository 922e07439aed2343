"""Who asks most comes first, by what it has asked between two answers."""

from __future__ import annotations

import msgspec
import pytest

from memrep.status.client_facts import ClientsStatus, HostSums
from memrep.status.client_rates import ORDERS, host_rates


def _told(at: float, *hosts: HostSums) -> ClientsStatus:
    return ClientsStatus("n:1", at, 10, list(hosts), [])


BEFORE = _told(10.0, HostSums("a", 1, 100, 1_000, 5_000), HostSums("b", 2, 10, 100, 900_000))
NOW = _told(12.0, HostSums("a", 1, 140, 1_200, 6_000), HostSums("b", 2, 10, 110, 990_000))


def test_a_rate_is_what_has_come_since_by_the_time_that_has_passed() -> None:
    first, second = host_rates(BEFORE, NOW)
    assert (first.host, first.connected, first.connects_s, first.reads_s, first.received_s) == (
        "a", 1, 20, 100, 500,
    )  # fmt: skip
    assert (second.host, second.reads_s, second.received_s) == ("b", 5, 45_000)


@pytest.mark.parametrize(
    ("order", "first"), [("reads", "a"), ("bytes", "b"), ("connects", "a"), ("clients", "b")]
)
def test_each_order_has_its_first(order: str, first: str) -> None:
    assert host_rates(BEFORE, NOW, order)[0].host == first
    assert order in ORDERS


def test_a_host_that_has_just_come_has_asked_all_of_it_since() -> None:
    new = HostSums("c", 1, 1, 40, 80)
    rates = host_rates(BEFORE, msgspec.structs.replace(NOW, hosts=[new]))
    assert [(rate.host, rate.reads_s) for rate in rates] == [("c", 20)]


def test_a_host_that_was_forgotten_and_came_again_has_no_rate_yet() -> None:
    again = HostSums("a", 1, 1, 1, 10)
    (rate,) = host_rates(BEFORE, msgspec.structs.replace(NOW, hosts=[again]))
    assert (rate.reads_s, rate.received_s) == (0, 0)


def test_two_answers_of_one_moment_have_no_rates() -> None:
    assert {rate.reads_s for rate in host_rates(BEFORE, BEFORE)} == {0}
