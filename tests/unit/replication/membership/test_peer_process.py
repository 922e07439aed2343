"""A peer's process: what is seen of it makes it alive, gone or doubted, in whatever order it is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.membership.peer_process import Liveness, PeerProcess

NOW = 10_000


def _liveness(one: PeerProcess) -> Liveness:
    return one.liveness


def test_a_process_lives_dies_comes_into_doubt_and_lives_again() -> None:
    one = PeerProcess()
    assert _liveness(one) is Liveness.UNKNOWN
    one.restarted(7, 1_000)
    one.opened_link()
    assert _liveness(one) is Liveness.ALIVE
    one.ended("its port refuses", 2_000)
    assert _liveness(one) is Liveness.GONE
    assert one.gone_at == 2_000
    one.doubt()
    assert _liveness(one) is Liveness.DOUBTED
    one.shows_life()
    assert _liveness(one) is Liveness.ALIVE
    with pytest.raises(AssertionError):
        one.doubt()


@given(
    st.lists(
        st.sampled_from(
            ["opened", "closed", "shows life", "spoken", "ended", "doubt", "refuses", "silent", "turned away"]
        )
    )
)
def test_whatever_is_seen_of_it_in_whatever_order_it_is_alive_or_there_is_a_reason_why_not(
    events: list[str],
) -> None:
    """And the table of states allows it, or one of these calls would fail."""
    process = PeerProcess()
    for number, event in enumerate(events):
        before = process.liveness
        if event == "opened":
            process.restarted(1 + number, NOW)
            process.opened_link()
        elif event == "closed":
            process.closed_link()
        elif event == "shows life":
            process.shows_life()
        elif event == "spoken" and process.doubted:
            process.spoken()
        elif event == "ended":
            process.ended("its port refuses", NOW)
        elif event == "doubt" and process.gone:
            process.doubt()
        elif event in ("refuses", "silent"):
            process.cannot_be_dialled("no route to host", event == "refuses")
        else:
            process.turned_us_away("another list")
        assert (process.liveness is Liveness.ALIVE) == (not process.gone)
        if event in ("opened", "shows life"):
            assert process.liveness is Liveness.ALIVE
        elif event == "ended":
            assert process.liveness in (Liveness.GONE, Liveness.UNKNOWN)
        elif event in ("closed", "turned away"):
            assert process.liveness is before, "that alone ends no process"


@pytest.mark.parametrize("again", [True, False])
def test_a_doubt_ends_when_the_end_is_seen_again_or_a_word_has_come(again: bool) -> None:
    process = PeerProcess(inc=7, gone="its port refuses")
    process.doubt()
    process.ended("its port refuses", NOW) if again else process.spoken()
    assert _liveness(process) is Liveness.GONE


def test_that_nothing_was_ever_heard_of_it_is_no_end_unless_its_port_refuses() -> None:
    process = PeerProcess()
    process.cannot_be_dialled("timed out", refuses=False)
    assert (_liveness(process), process.gone) == (Liveness.UNKNOWN, "timed out")
    process.cannot_be_dialled("connection refused", refuses=True)
    assert _liveness(process) is Liveness.GONE


def test_why_it_ended_is_not_forgotten_for_why_it_cannot_be_dialled() -> None:
    process = PeerProcess(inc=7, gone="it was stopped")
    process.cannot_be_dialled("connection refused", refuses=True)
    assert process.gone == "it was stopped"


def test_a_link_that_it_opens_ends_what_was_known_against_it() -> None:
    process = PeerProcess(inc=7)
    process.port_refuses("connection refused")
    process.turned_us_away("another list")
    process.opened_link()
    assert (process.gone, process.refused, process.disagrees, process.linked) == ("", "", "", True)


def test_a_link_that_opens_again_ends_its_refusal() -> None:
    process = PeerProcess(inc=7, gone="")
    process.port_refuses("connection refused")
    process.was_dialled()
    assert process.refused == ""
