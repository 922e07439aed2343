"""A view: which nodes work together from some moment on, by an agreement of all of them."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from memrep.replication.message import Install
from memrep.storage.version import Version


@attrs.frozen(kw_only=True)
class View:
    """Who works together.

    Attributes:
        vid: its name; 0 before the first one.
        gen: the generation its writes belong to: the number of the last view that had a majority.
        members: node numbers to incarnations.
        full: the members that held everything when it began.
        quorate: whether the members are a majority of the configured nodes.
    """

    vid: int = 0
    gen: int = 0
    members: Mapping[int, int] = attrs.Factory(dict)
    full: frozenset[int] = frozenset()
    quorate: bool = False


def installed(message: Install) -> View:
    """Return the view that a message brings."""
    return View(
        vid=message.vid,
        gen=message.gen,
        members=message.members,
        full=frozenset(message.full),
        quorate=message.quorate,
    )


def out_of_touch(message: Install) -> list[int]:
    """Return the last view's nodes that this one is without, and that may yet live: clients may wait there.

    Not those who come back: whoever was their client knows of it.
    """
    return [node for node in message.silent if node not in message.members]


def horizon_of(message: Install) -> Version:
    """Return the purge horizon that a message brings."""
    return Version(message.horizon)
