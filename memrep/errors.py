"""Errors, by whose fault they are: that decides who is told and what happens next.

A client's mistake is no exception at all: it is answered by a protocol error line. A peer's mistake closes
its link. An operator's mistake stops the program with one line that says what to do; what is only missing, and
may be there in a moment, does so with an exit status of its own. Our own is an assertion.
"""

from __future__ import annotations


class PeerError(Exception):
    """A peer sent what no memrep of this protocol version sends; its link is closed, the reason is logged."""


class UsageError(Exception):
    """The operator has to change something; the text is one line that says what is wrong and what to do."""


class AbsentError(UsageError):
    """Something is not there at the start that may come by itself: an address, a name, a port that is taken."""
