"""What was found, and how bad that is for a node that is about to start."""

from __future__ import annotations

from typing import Literal

import msgspec

#: Notes are for whoever expected something else: another node that does not run yet.
Verdict = Literal["ok", "note", "warning", "wrong"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        subject: what that is, in a word.
        verdict: whether it is as it should be.
        text: what was found.
        remedy: what to do; "" for nothing.
    """

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""

    @property
    def is_bad(self) -> bool:
        """Tell whether there is something to do."""
        return self.verdict in ("warning", "wrong")
