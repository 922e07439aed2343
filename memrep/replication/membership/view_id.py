"""How a view is named: a number that only grows, then six bits for the node that proposed it."""

from __future__ import annotations

from memrep.storage.version import NODE_MAX

_NODE_BITS = NODE_MAX.bit_length()


def make_vid(number: int, proposer: int) -> int:
    """Make the name of a view."""
    return number << _NODE_BITS | proposer


def number_of(vid: int) -> int:
    """Return the number in a view's name; the generation of what a majority view accepts."""
    return vid >> _NODE_BITS


def proposer_of(vid: int) -> int:
    """Return the node that proposed a view."""
    return vid & NODE_MAX
