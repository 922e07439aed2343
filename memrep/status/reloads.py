"""What has become of a wish that a node read its options anew, for whoever has had it."""

from __future__ import annotations

import msgspec


class Reloaded(msgspec.Struct, frozen=True):
    """What was taken. If anything is refused, nothing was.

    Attributes:
        changed: the options that are others now, by their names in the config file.
        refused: what will not do, each with the reason.
    """

    changed: list[str] = []
    refused: list[str] = []
