"""A metric's kind follows from its name, and what cannot be told has no figure."""

from __future__ import annotations

import pytest

from memrep.status.metric import Gathered, counted, each_peer, many, of_policy, one
from tests.unit.status.clusters import NAMES, cluster
from tests.unit.status.test_metrics import FIGURES, PROCESS

FACTS = Gathered(cluster(3), FIGURES, PROCESS)


@pytest.mark.parametrize(("name", "kind"), [("memrep_turns_total", "counter"), ("memrep_items", "gauge")])
def test_what_ends_in_total_is_a_counter(name: str, kind: str) -> None:
    for metric in (
        one(name, "", lambda facts: 1),
        many(name, "", (), lambda facts: iter([])),
        counted(name, "", (), {}),
        of_policy(name, "", ""),
    ):
        assert metric.kind == kind


def test_a_figure_of_each_peer_is_one_of_all_nodes_but_the_asked_one() -> None:
    metric = each_peer("memrep_peer_lag_writes", "", lambda peer: peer.lag)
    assert list(metric.tell(FACTS)) == [((NAMES[1],), 0), ((NAMES[2],), 0)]


def test_what_a_policy_does_not_count_has_no_figure() -> None:
    assert list(of_policy("memrep_php_copies_recognised_total", "", "copies").tell(FACTS)) == [((), 9)]
    assert list(of_policy("memrep_php_others", "", "others").tell(FACTS)) == [((), None)]
