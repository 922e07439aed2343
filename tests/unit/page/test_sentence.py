"""The cluster in one sentence."""

from __future__ import annotations

import msgspec
import pytest

from memrep.page.sentence import headline, seen_from, severity_of, short_headline
from memrep.page.signs import CHANGING
from memrep.status.facts import DOWN, JOINING, LEAVING, SILENT, Status
from tests.unit.status.clusters import DETOUR, NAMES, OLD, cluster, gone, with_node


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (cluster(1), "The only node serves; nothing is wrong."),
        (with_node(cluster(1), 1, state=JOINING), "The only node is joining; nothing is wrong."),
        (cluster(3), "3 of 3 nodes serve; nothing is wrong."),
        (cluster(3, problems=[OLD]), "3 of 3 nodes serve; one thing is wrong."),
        (gone(cluster(3, problems=[OLD, DETOUR]), 3), "2 of 3 nodes serve, one is down; two things are wrong."),
        (
            gone(gone(with_node(cluster(4), 2, state=JOINING), 3), 4),
            "1 of 4 nodes serves, one is joining and two are down; nothing is wrong.",
        ),
        (
            gone(gone(cluster(2), 1, SILENT), 2),
            "None of 2 nodes serves, one is silent and one is down; nothing is wrong.",
        ),
        (cluster(3, problems=[OLD] * 12), "3 of 3 nodes serve; 12 things are wrong."),
    ],
)  # fmt: skip
def test_a_sentence_says_who_serves_and_whether_anything_is_wrong(status: Status, sentence: str) -> None:
    assert headline(status) == sentence


def test_the_worst_problem_says_how_bad_it_is() -> None:
    assert severity_of(cluster(3)) == ""
    assert severity_of(cluster(3, problems=[DETOUR, OLD])) == "critical"
    assert severity_of(cluster(3, problems=[OLD])) == "warning"
    assert severity_of(with_node(cluster(3), 2, state=JOINING)) == CHANGING


def test_a_tab_has_room_for_the_figures() -> None:
    assert short_headline(gone(cluster(3), 2, DOWN)) == "2 of 3 serve"


def test_it_is_said_whose_sight_this_is_and_how_that_one_is() -> None:
    assert seen_from(cluster(3), "") == f"Seen from {NAMES[0]}, which has served for 4d 4h."
    leaving = with_node(cluster(3), 1, state=LEAVING, since_s=3.0, why="it was told to stop")
    assert (
        seen_from(leaving, "x") == f"Seen from {NAMES[0]}, which has been leaving for 3 s: it was told to stop."
    )
    assert seen_from(cluster(3), "its ports are shut") == (
        f"Seen from {NAMES[0]}, which lets no new clients in: its ports are shut."
    )
    assert seen_from(msgspec.structs.replace(cluster(3), nodes=[]), "") == f"Seen from {NAMES[0]}."
