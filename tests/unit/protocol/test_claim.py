"""The seam of what clients claim: by default nothing is made of it."""

from __future__ import annotations

from memrep.engine.operations import STORED, Decision
from memrep.protocol.claim import as_said
from memrep.storage.entry import Entry


def test_by_default_a_claim_is_what_was_said_and_nobody_is_told() -> None:
    def decide(entry: Entry | None) -> Decision:
        return STORED

    assert as_said(b"a", b"x", decide) == (decide, None)
