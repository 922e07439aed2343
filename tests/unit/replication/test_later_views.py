"""Later views: what comes before its view is kept for it, in order, and not without bounds (rule F1)."""

from __future__ import annotations

from memrep.replication.later_views import HELD_MAX, LaterViews, OfAView
from memrep.replication.message import Ack, ChunkRequest, Frame, Install, TransferRequest
from memrep.storage.version import ZERO


def _view(vid: int) -> Install:
    return Install(vid, 1, {1: 7}, [1], True, [], ZERO)


def test_what_belongs_to_the_view_comes_out_in_order_and_once() -> None:
    later = LaterViews()
    messages: list[OfAView] = [Frame(64, 1, []), Ack(64, 1, 0), TransferRequest(64, []), ChunkRequest(64, 0)]
    for message in messages:
        later.hold(2, message)
    assert later.release(_view(64)) == [(2, message) for message in messages]
    assert later.release(_view(64)) == []


def test_what_belongs_to_a_view_that_was_skipped_is_dropped_and_of_a_later_one_is_given_out_again() -> None:
    """Whoever takes it out finds that it is later still, and keeps it anew."""
    later = LaterViews()
    for vid in (64, 192, 128):
        later.hold(3, Ack(vid, 1, 0))
    assert [message.vid for _, message in later.release(_view(128))] == [192, 128]


def test_no_more_is_kept_than_the_bound() -> None:
    later = LaterViews()
    for n in range(HELD_MAX + 10):
        later.hold(2, Frame(64, n + 1, []))
    assert len(later.release(_view(64))) == HELD_MAX
