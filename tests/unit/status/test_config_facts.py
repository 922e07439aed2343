"""Options are the same on both sides of the admin socket."""

from __future__ import annotations

import msgspec

from memrep.status.config_facts import ConfigDiffStatus, ConfigStatus, DifferenceStatus, OptionStatus


def test_what_a_node_answers_is_what_a_command_reads() -> None:
    told = ConfigStatus(
        node="a:1", running=True, file="memrep.toml", options=[OptionStatus("memory", "64", "file")]
    )
    assert msgspec.json.decode(msgspec.json.encode(told), type=ConfigStatus) == told
    one = DifferenceStatus(name="memory", running="64", restart="128", origin="file", needs="")
    compared = ConfigDiffStatus(node="a:1", file="", differences=[one], refused="why")
    assert msgspec.json.decode(msgspec.json.encode(compared), type=ConfigDiffStatus) == compared
