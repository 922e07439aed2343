"""One screen: the first lines of four lists, and how many there are besides."""

from __future__ import annotations

from msgspec.structs import replace

from memrep.status.client_rates import HostRate
from memrep.status.screen import screen
from tests.unit.status.clusters import cluster
from tests.unit.status.test_client_facts import TOLD as CLIENTS
from tests.unit.status.test_lock_list import TOLD as LOCKS
from tests.unit.status.test_slow_list import SLOW
from tests.unit.status.test_slow_list import TOLD as WAITED

RATES = [HostRate(f"10.9.9.{n}", 1, 2.0, 100.0 - n, 5_000.0) for n in range(8)]


def test_it_has_the_cluster_hosts_locks_and_what_waited() -> None:
    text = screen(cluster(), RATES, CLIENTS, LOCKS, WAITED)
    parts = text.split("\n\n")
    assert parts[0].startswith("cluster ")
    assert "10.9.9.0" in parts[1] and "10.9.9.7" not in parts[1]
    assert parts[2].splitlines()[0].endswith(f"wait at {LOCKS.node}")
    assert parts[3].startswith("1 command waited"), "what waited longer than a minute ago does not go on"
    assert all(len(line) <= 80 for line in text.splitlines())


def test_of_what_waited_the_latest_are_shown_and_the_others_counted() -> None:
    many = replace(WAITED, commands=[replace(SLOW, ago_s=float(n)) for n in range(9)])
    text = screen(cluster(), RATES, CLIENTS, LOCKS, many)
    assert text.endswith("and 4 more within a minute")
