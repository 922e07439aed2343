"""As many requests as are answered: what a request costs when the servers never sleep."""

from __future__ import annotations

from typing import Final

from bench.load import WHATS, Load
from bench.rounds import Scale, Shapes
from bench.sections.paced import one_and_three

TITLE: Final = "Saturated"
NOTE: Final = (
    "32 connections that ask again as soon as they are answered. The client is one Python process and shares "
    "the machine: it, not the server, bounds the rate of memcached and Redis, so compare CPU, not rates."
)
EXPECTED_S: Final = {True: 65, False: 470}


def measure(scale: Scale) -> Shapes:
    """One node and three; get, set and, in a full run, both in turn."""
    whats = WHATS[:2] if scale.quick else WHATS
    return one_and_three({what: Load(what, scale.seconds) for what in whats}, scale)
