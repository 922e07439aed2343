"""What has become of options that were read anew is the same on both sides of the admin socket."""

from __future__ import annotations

import msgspec

from memrep.status.reloads import Reloaded


def test_what_a_node_answers_is_what_a_command_reads() -> None:
    outcome = Reloaded(["memory"], ["port needs a restart"])
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Reloaded) == outcome
    assert msgspec.json.decode(b"{}", type=Reloaded) == Reloaded()
