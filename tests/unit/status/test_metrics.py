"""Every figure says what is so, in whatever state the node and the others are."""

from __future__ import annotations

import re

import attrs
import msgspec
import pytest

from memrep.engine.counters import Counters
from memrep.status.counts import POLICY
from memrep.status.facts import (
    DOWN,
    JOINING,
    LEAVING,
    SERVING,
    SILENT,
    STARTING,
    WAITING,
    Figures,
    ProcessFigures,
    Status,
)
from memrep.status.metric import Gathered
from memrep.status.metrics import METRICS
from memrep.status.problems import KINDS
from tests.unit.status.clusters import DETOUR, NAMES, OLD, cluster, gone, with_node

FIGURES = Figures(
    started=1.5,
    counters=attrs.asdict(Counters()),
    tombstones=7,
    expired=8,
    expired_unfetched=3,
    oldest_s=1_860,
    unsent=4_096,
    logins=11,
    logins_refused=2,
    views=6,
    rounds=40,
    rounds_ms=1_500,
    rounds_slow=5,
    policy={"lock_grants": 20, "locks_in_doubt": 1, "locks_ended": 4, "copies": 9},
    fetched=41_200,
    to_fetch=60_000,
)
PROCESS = ProcessFigures(
    hindrance="",
    turns=5,
    longest_turn_s=0.25,
    cpu_s=1.5,
    started=2.5,
    resident=1 << 20,
    descriptors=12,
    descriptors_max=None,
    log_lines_lost=13,
    certificates={"/etc/memrep/tls.pem": 1.9e9},
    reloaded=False,
    reloaded_at=3.5,
)


def _told(
    status: Status | None = None, figures: Figures = FIGURES, process: ProcessFigures = PROCESS
) -> dict[str, float | None]:
    """The series by their names, with the values of their labels behind."""
    gathered = Gathered(status or cluster(3), figures, process)
    return {
        " ".join((metric.name, *values)): figure
        for metric in METRICS
        for values, figure in metric.tell(gathered)
    }


def test_names_are_prometheus_and_each_is_there_once_with_what_it_means() -> None:
    names = [metric.name for metric in METRICS]
    assert len({name.removesuffix("_total") for name in names}) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"(memrep|process)(_[a-z]+)+", metric.name)
        assert metric.help.endswith(".")
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        for values, _ in metric.tell(Gathered(cluster(3), FIGURES, PROCESS)):
            assert len(values) == len(metric.labels)


@pytest.mark.parametrize("state", [STARTING, JOINING, WAITING, SERVING, LEAVING])
def test_a_node_is_in_one_state_and_ready_in_one_of_them(state: str) -> None:
    told = _told(with_node(cluster(3), 1, state=state))
    states = {name: figure for name, figure in told.items() if name.startswith("memrep_state ")}
    assert [name for name, figure in states.items() if figure] == [f"memrep_state {state}"]
    assert len(states) == 5
    assert told["memrep_ready"] == (state == SERVING)


def test_a_node_whose_process_lets_nobody_in_is_not_ready() -> None:
    assert not _told(process=msgspec.structs.replace(PROCESS, hindrance="leaving"))["memrep_ready"]


@pytest.mark.parametrize("state", [STARTING, JOINING, WAITING, SERVING, LEAVING, SILENT, DOWN])
def test_another_node_is_in_one_state(state: str) -> None:
    told = _told(with_node(cluster(2), 2, state=state))
    states = [name for name, figure in told.items() if name.startswith("memrep_peer_state ") and figure]
    assert states == [f"memrep_peer_state {NAMES[1]} {state}"]


def test_every_kind_of_problem_is_there_with_how_many_there_are() -> None:
    told = _told(cluster(3, problems=[DETOUR, DETOUR, OLD]))
    counts = {name: figure for name, figure in told.items() if name.startswith("memrep_problems ")}
    assert len(counts) == 2 * len(KINDS)
    assert {name: figure for name, figure in counts.items() if figure} == {
        "memrep_problems path critical": 2,
        "memrep_problems version warning": 1,
    }


def test_a_link_is_told_from_both_ends_and_a_detour_by_its_path() -> None:
    status = with_node(cluster(3), 1, hears=[NAMES[2]])
    status = with_node(status, 2, path=f"via {NAMES[2]}")
    status = with_node(status, 3, hears=None)
    told = _told(status)
    assert [
        told[f"memrep_peer_link_up {peer} {direction}"] for peer in NAMES[1:3] for direction in ("from", "to")
    ] == [False, True, True, False]
    assert [told[f"memrep_peer_detour {peer}"] for peer in NAMES[1:3]] == [True, False]


def test_a_clock_is_told_in_seconds_and_not_at_all_while_it_is_not_known() -> None:
    status = gone(with_node(cluster(3), 2, clock_ms=-1_500, lag=4), 3)
    told = _told(status)
    assert told[f"memrep_peer_clock_offset_seconds {NAMES[1]}"] == -1.5
    assert told[f"memrep_peer_lag_writes {NAMES[1]}"] == 4
    assert told[f"memrep_peer_clock_offset_seconds {NAMES[2]}"] is None
    assert told["memrep_view_members"] == 2
    assert told["memrep_nodes_configured"] == 3


def test_counters_are_told_under_their_commands() -> None:
    counters = Counters(get_hits=3, cas_badval=2, cmd_set=4, evictions=5, evicted_time=6)
    told = _told(figures=msgspec.structs.replace(FIGURES, counters=attrs.asdict(counters)))
    assert told["memrep_commands_total get hit"] == 3
    assert told["memrep_commands_total cas conflict"] == 2
    assert told["memrep_commands_total set any"] == 4
    assert told["memrep_evictions_total"] == 5
    assert told["memrep_last_eviction_idle_seconds"] == 6


def test_figures_of_the_node_and_of_its_process_are_told_as_they_are() -> None:
    told = _told()
    assert told["memrep_items"] == 100_212
    assert told["memrep_cgroup_limit_bytes"] == 256 << 20
    assert (told["memrep_tombstones"], told["memrep_expired_total"]) == (7, 8)
    assert (told["memrep_join_items"], told["memrep_join_items_expected"]) == (41_200, 60_000)
    assert (told["memrep_turns_total"], told["memrep_longest_turn_seconds"]) == (5, 0.25)
    assert told["process_resident_memory_bytes"] == 1 << 20
    assert told["process_max_fds"] is None
    assert (told["memrep_expired_unfetched_total"], told["memrep_oldest_unused_seconds"]) == (3, 1_860)
    assert told["memrep_client_unsent_bytes"] == 4_096
    assert (told["memrep_logins_total"], told["memrep_logins_refused_total"]) == (11, 2)
    assert told["memrep_view_changes_total"] == 6
    rounds = [told[f"memrep_write_rounds_{what}total"] for what in ("", "seconds_", "slow_")]
    assert rounds == [40, 1.5, 5]
    assert told["memrep_log_lines_dropped_total"] == 13
    assert told["memrep_certificate_expiry_timestamp_seconds /etc/memrep/tls.pem"] == 1.9e9


def test_what_a_policy_counts_is_told_and_absent_where_it_counts_nothing() -> None:
    names = [name for name, _, _ in POLICY]
    assert [_told()[name] for name in names] == [20, 1, 4, 9]
    told = _told(figures=msgspec.structs.replace(FIGURES, policy={}))
    assert {told[name] for name in names} == {None}


def test_whether_options_were_read_anew_without_a_mistake_is_told() -> None:
    told = _told()
    assert told["memrep_config_reload_success"] == 0
    assert told["memrep_config_reload_timestamp_seconds"] == 3.5
