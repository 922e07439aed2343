"""Refinements: rules about several faults in a row, each of which some story must miss when it is taken away.

The search of the simulator notices all other rules within 1,000 seeds (rule_mutations.py). These it has found,
each in one seed of thousands: so a story tells that schedule, and here the rule is taken away under it. So
it is with those breakages that one seed in hundreds notices: whether it is among the first thousand changes
whenever nodes speak in another order, and the rule must be held meanwhile.

As a plugin of pytest (`-p tests.simulation.refinements`) this takes away the one that TAKES_AWAY names in the
environment. The numbers are those of docs/replication.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs
import pytest
from msgspec.structs import replace
from pytest import MonkeyPatch

from memrep.node.staleness import StalenessGuard
from memrep.php.lock_table import LockTable
from memrep.protocol.connection import Connection
from memrep.protocol.reply_gate import ReplyGate
from memrep.replication import heartbeat
from memrep.replication.frames import FrameStream
from memrep.replication.membership import history, settlement, state
from memrep.replication.membership.history import NOTHING, WRITTEN
from memrep.replication.membership.leases import Leases
from memrep.replication.membership.missed_nodes import MissedNodes
from memrep.replication.membership.peer_process import Liveness
from memrep.replication.message import Commit, Frame, Past, Vote
from memrep.replication.rounds import Rounds
from memrep.replication.state_transfer import Joiner
from memrep.storage.entry import NEVER, Entry
from memrep.storage.pending import Attempt
from memrep.storage.version import Clock, Version
from tests.simulation.rule_mutations import BREAKAGES

#: Names the refinement that is taken away.
TAKES_AWAY: Final = "MEMREP_TESTS_TAKE_AWAY"

#: The bits of a hybrid clock's counter.
_COUNTER_BITS: Final = 14


@attrs.frozen
class Refinement:
    """A rule that is taken away.

    Attributes:
        rule: its number, or its name where it is one of the first draft.
        story: the test that must fail then, as pytest names it.
        breaks: takes the rule away.
    """

    rule: int | str
    story: str
    breaks: Callable[[MonkeyPatch], None]


def _serves_without_leases(patch: MonkeyPatch) -> None:
    def end(self: Leases) -> int:
        state = self._state
        return NEVER if state.full and not state.paused and self.confirmed else 0

    patch.setattr(Leases, "end", end)


def _discards_what_the_donor_has(patch: MonkeyPatch) -> None:
    def announce(self: Joiner) -> None:
        theirs, self._theirs = self._theirs, {}
        real(self)
        self._theirs = theirs

    real = Joiner._announce
    patch.setattr(Joiner, "_announce", announce)


def _yields_without_a_miss(patch: MonkeyPatch) -> None:
    def give_way(
        self: Rounds, key: bytes, entry: Entry, base: Version, attempt: Attempt, *, dead: bool
    ) -> None:
        real(self, key, entry, base, attempt, dead=False)

    real = Rounds.give_way
    patch.setattr(Rounds, "give_way", give_way)


def _yields_what_is_older_than_the_cut(patch: MonkeyPatch) -> None:
    real = Joiner.begin
    patch.setattr(Joiner, "begin", lambda self, horizon, yields=0: real(self, horizon, min(yields, 1)))


def _believes_older_deaths(patch: MonkeyPatch) -> None:
    patch.setattr(MissedNodes, "doubt_deaths", lambda self, now: None)


def _overlooks_who_returns_while_a_view_is_formed(patch: MonkeyPatch) -> None:
    patch.setattr(MissedNodes, "returned", lambda self, since: [])


def _dates_a_release_by_its_execution(patch: MonkeyPatch) -> None:
    def came(self: LockTable, gate: ReplyGate) -> int:
        return self.clock.now

    patch.setattr(LockTable, "came", came)


def _counts_writes_that_nobody_may_hear_of(patch: MonkeyPatch) -> None:
    def wrote(self: StalenessGuard, connection: Connection) -> None:
        self._replica.state.happened(WRITTEN)

    patch.setattr(StalenessGuard, "_wrote", wrote)


def _takes_counted_as_heard_for_heard(patch: MonkeyPatch) -> None:
    def is_back(self: MissedNodes, node: int, now: int) -> bool:
        peer = self._peers[node]
        silent = now - peer.contact.heard >= self._timing.silence
        return node in self._left and silent and peer.process.liveness is not Liveness.GONE

    patch.setattr(MissedNodes, "is_back", is_back)


def _forgets_who_stood_where(patch: MonkeyPatch) -> None:
    def inherited(donors: Iterable[Past], voters: Iterable[Past]) -> Past:
        return replace(real(donors, list(voters)), stood={})

    real = history.inherited
    patch.setattr(settlement, "inherited", inherited)


def _takes_a_later_view_for_this_one(patch: MonkeyPatch) -> None:
    def confirmed(self: Leases) -> bool:
        vid, peers = self._state.view.vid, self._detector.peers
        return vid > 0 and all(peers[node].installed >= vid for node in self._state.others)

    patch.setattr(Leases, "confirmed", property(confirmed))


def _reckons_ages_by_clocks(patch: MonkeyPatch) -> None:
    def known(self: Clock, at: int) -> int:
        return (self.hybrid - (self.now - at)) << _COUNTER_BITS

    patch.setattr(Clock, "known", known)


def _counts_what_sides_have_in_common(patch: MonkeyPatch) -> None:
    patch.setattr(state, "parts", lambda history, vid: history)


def _forgets_what_has_happened_in_a_majoritys_view(patch: MonkeyPatch) -> None:
    def begins(before: Past, vid: int, members: Iterable[int]) -> Past:
        return replace(real(before, vid, members), activity={})

    real = history.begins
    patch.setattr(settlement, "begins", begins)


def _tells_nobody_what_has_happened(patch: MonkeyPatch) -> None:
    patch.setattr(heartbeat, "activity_of", lambda past: NOTHING)


def _yields_to_its_own_generation_only(patch: MonkeyPatch) -> None:
    def yielding(votes: Mapping[int, Vote], full: frozenset[int]) -> list[int]:
        ranks = settlement._ranks(votes)
        first = ranks[votes[min(full)].last]
        return [
            node
            for node in real(votes, full)
            if ranks[votes[node].last].generation == first.generation
            and ranks[votes[node].last].activity < first.activity
        ]

    real = settlement._yielding
    patch.setattr(settlement, "_yielding", yielding)


def _withholds_what_is_said_beside_commits(patch: MonkeyPatch) -> None:
    def accept(self: FrameStream, node: int, frame: Frame) -> bool:
        owed = set(self.owed)
        is_next = real(self, node, frame)
        if any(type(item) is Commit for item in frame.items):
            self.owed = owed
        return is_next

    real = FrameStream.accept
    patch.setattr(FrameStream, "accept", accept)


_SIDES = "tests/unit/replication/membership/test_sides.py::"
_BINARY = "tests/unit/php/test_php_binary.py::"
_MISSED = "tests/unit/replication/membership/test_missed_nodes.py::"
_MISTAKES = "tests/unit/replication/test_mistakes.py::"
_GATE = "tests/unit/node/test_host_gate.py::"
_LEASES = "tests/unit/replication/membership/test_leases.py::"

REFINEMENTS: Final = {
    "serves-without-leases": Refinement(
        "S1", _MISTAKES + "test_14_what_comes_late_is_no_lease", _serves_without_leases
    ),
    "withholds-what-is-said-beside-commits": Refinement(
        "F3", "tests/unit/replication/test_frames.py::"
        "test_what_is_said_beside_commits_is_acknowledged_at_once",
        _withholds_what_is_said_beside_commits,
    ),
    "believes-in-views-that-never-began": Refinement(
        33, _SIDES + "test_of_a_majoritys_view_that_was_cut_in_two_those_who_stand_in_it_are_not_newer",
        BREAKAGES["believes-in-views-that-never-began"].breaks,
    ),
    "discards-what-the-donor-has": Refinement(
        29, _SIDES + "test_what_the_donor_has_lost_meanwhile_is_not_yielded_to_and_both_have_the_same",
        _discards_what_the_donor_has,
    ),
    "yields-without-a-miss": Refinement(
        31, _SIDES + "test_what_yields_does_so_though_its_transfer_is_broken_off_and_begins_anew",
        _yields_without_a_miss,
    ),
    "yields-what-is-older-than-the-cut": Refinement(
        34, _SIDES + "test_what_a_node_settled_for_nobody_while_it_was_cut_off_does_not_come_up_at_the_others",
        _yields_what_is_older_than_the_cut,
    ),
    "yields-to-its-own-generation-only": Refinement(
        34, "tests/unit/replication/membership/test_view.py::"
        "test_a_side_that_told_nobody_anything_yields_to_one_of_a_later_generation_and_no_other_does",
        _yields_to_its_own_generation_only,
    ),
    "believes-older-deaths": Refinement(
        35, _SIDES + "test_who_was_out_of_touch_believes_no_older_death", _believes_older_deaths
    ),
    "overlooks-who-returns-while-a-view-is-formed": Refinement(
        36, _GATE + "test_a_view_from_before_a_stop_lets_nobody_serve_who_hears_those_that_it_leaves_out",
        _overlooks_who_returns_while_a_view_is_formed,
    ),
    "dates-a-release-by-its-execution": Refinement(
        37, _BINARY + "test_a_copy_of_a_release_that_was_kept_for_long_does_not_free_the_next_holders_lock",
        _dates_a_release_by_its_execution,
    ),
    "counts-writes-that-nobody-may-hear-of": Refinement(
        38, _SIDES + "test_a_command_that_waited_for_another_write_makes_its_side_one_with_clients_as_well",
        _counts_writes_that_nobody_may_hear_of,
    ),
    "takes-counted-as-heard-for-heard": Refinement(
        39, _MISSED + "test_that_nobody_counts_as_silent_after_a_stop_brings_nobody_back",
        _takes_counted_as_heard_for_heard,
    ),
    "forgets-who-stood-where": Refinement(
        40, _SIDES
        + "test_a_majoritys_view_that_was_cut_in_two_makes_nobody_newer_though_its_processes_are_gone",
        _forgets_who_stood_where,
    ),
    "takes-a-later-view-for-this-one": Refinement(
        41, _LEASES + "test_nobody_serves_before_every_member_has_installed_the_view",
        _takes_a_later_view_for_this_one,
    ),
    "reckons-ages-by-clocks": Refinement(
        42, _BINARY + "test_a_late_copy_of_a_release_is_one_at_a_node_whose_clock_is_ahead_too",
        _reckons_ages_by_clocks,
    ),
    "counts-what-sides-have-in-common": Refinement(
        43, _SIDES + "test_what_was_written_before_the_cut_makes_neither_side_one_with_clients",
        _counts_what_sides_have_in_common,
    ),
    "forgets-what-has-happened-in-a-majoritys-view": Refinement(
        44, _SIDES + "test_a_majoritys_view_that_was_cut_in_two_makes_no_side_one_without_clients",
        _forgets_what_has_happened_in_a_majoritys_view,
    ),
    "tells-nobody-what-has-happened": Refinement(
        45, _SIDES + "test_that_a_client_was_answered_is_told_at_once_for_the_node_may_be_killed",
        _tells_nobody_what_has_happened,
    ),
    "remembers-who-has-heard-nothing": Refinement(
        47, _GATE + "test_a_host_whose_answer_is_not_acknowledged_is_none_that_was_heard_in_a_cut",
        BREAKAGES["remembers-who-has-heard-nothing"].breaks,
    ),
    "takes-flushes-back": Refinement(
        49, "tests/unit/replication/test_state_transfer.py::"
        "test_a_flush_goes_round_even_where_all_else_gives_way",
        BREAKAGES["takes-flushes-back"].breaks,
    ),
    "settles-flushes-anew": Refinement(
        52, "tests/unit/node/test_flush.py::"
        "test_what_was_written_behind_a_flush_outlives_the_node_that_was_asked_for_the_flush",
        BREAKAGES["settles-flushes-anew"].breaks,
    ),
    "executes-what-came-while-it-was-stopped": Refinement(
        "T1", "tests/unit/node/test_node.py::test_input_that_was_kept_dies_with_a_stop",
        BREAKAGES["executes-what-came-while-it-was-stopped"].breaks,
    ),
    "stamps-without-generations": Refinement(
        "M7", _SIDES
        + "test_what_a_majority_wrote_outranks_what_a_node_that_was_cut_off_wrote_later_by_its_clock",
        BREAKAGES["stamps-without-generations"].breaks,
    ),
    "takes-an-answer-for-a-knock": Refinement(
        "N2", _GATE + "test_a_host_that_was_answered_before_the_cut_is_none_that_was_heard_in_it",
        BREAKAGES["takes-an-answer-for-a-knock"].breaks,
    ),
    "serves-on-when-they-are-back": Refinement(
        "N3", _GATE + "test_who_is_served_when_the_others_are_back_waits_for_the_view_with_them",
        BREAKAGES["serves-on-when-they-are-back"].breaks,
    ),
    "prefers-the-later-view": Refinement(
        26, _SIDES + "test_a_side_in_which_nobody_wrote_gives_way_whatever_its_views_number",
        BREAKAGES["prefers-the-later-view"].breaks,
    ),
    "yields-nothing": Refinement(
        27, _SIDES + "test_what_was_in_flight_on_an_idle_side_yields_to_what_the_other_side_went_on_from",
        BREAKAGES["yields-nothing"].breaks,
    ),
    "lets-the-clock-stand": Refinement(
        28, _GATE + "test_a_clock_that_was_behind_goes_on_from_what_it_has_seen",
        BREAKAGES["lets-the-clock-stand"].breaks,
    ),
    "votes-beside-who-is-deaf": Refinement(
        23, "tests/unit/replication/membership/test_view_change.py::"
        "test_nobody_votes_for_a_view_beside_a_deaf_node_with_data_that_only_the_voter_hears",
        BREAKAGES["votes-beside-who-is-deaf"].breaks,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _taken_away(monkeypatch: MonkeyPatch) -> Iterator[None]:
    """Every test that this plugin sees runs without the rule."""
    REFINEMENTS[os.environ[TAKES_AWAY]].breaks(monkeypatch)
    yield
