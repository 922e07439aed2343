"""What each state of a node looks like: a shape, and a tone that is one of a few colours.

The shapes differ so much that they are told apart without their colours, and the word stands beside each.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from memrep.page.html import Html, element
from memrep.status.facts import DOWN, JOINING, LEAVING, SERVING, SILENT, STARTING, WAITING

#: The tones; each has its colours in style.py.
WELL: Final = "well"
BUSY: Final = "busy"
WARNING: Final = "warning"
CRITICAL: Final = "critical"

#: What is the matter with a cluster of which nothing is wrong, but not every node serves yet.
CHANGING: Final = "changing"


class Sign(NamedTuple):
    """A sign.

    Attributes:
        tone: one of the above.
        path: its lines, in a square of 16 units around the origin.
    """

    tone: str
    path: str


_CHECK: Final = "M-4.5 .5 -1.5 3.5 4.5 -3.5"
_BANG: Final = "M0 -5V1.5M0 5V5.1"
_DOTS: Final = "M-4.5 0H-4.4M0 0H.1M4.5 0H4.6"
_CROSS: Final = "M-4 -4 4 4M4 -4 -4 4"

_SIGNS: Final = {
    SERVING: Sign(WELL, _CHECK),
    STARTING: Sign(BUSY, _DOTS),
    JOINING: Sign(BUSY, "M0 -5V4M-4 0 0 4 4 0"),
    LEAVING: Sign(BUSY, "M-5 0H4M0 -4 4 0 0 4"),
    WAITING: Sign(WARNING, "M-2.2 -4V4M2.2 -4V4"),
    SILENT: Sign(CRITICAL, "M-3 -2.5A3 3 0 1 1 0 1V2M0 5V5.1"),
    DOWN: Sign(CRITICAL, _CROSS),
}

#: Of the whole cluster, beside the worst that is the matter with it.
_OF_SEVERITY: Final = {
    "critical": Sign(CRITICAL, _CROSS),
    "warning": Sign(WARNING, _BANG),
    CHANGING: Sign(BUSY, _DOTS),
    "": Sign(WELL, _CHECK),
}


def sign_of(state: str) -> Sign:
    """Return the sign of a node in this state; one of a later version may be in another."""
    return _SIGNS.get(state, Sign(WARNING, _BANG))


def sign_of_severity(severity: str) -> Sign:
    """Return the sign of a severity, of a change, or of neither ("")."""
    return _OF_SEVERITY[severity]


def mark(sign: Sign) -> Html:
    """Draw a sign before a word that says the same."""
    return element(
        "svg",
        element("circle", r=8),
        element("path", d=sign.path),
        class_=f"mark {sign.tone}",
        viewBox="-8 -8 16 16",
        aria_hidden="true",
    )
