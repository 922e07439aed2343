"""SEAM: commands that waited for long, as JSON: whose they were, what they did, and what they waited for."""

from __future__ import annotations

import msgspec


class SlowStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A command that waited for long.

    Attributes:
        at: when its wait was over, seconds since 1970 by the node's clock.
        ago_s: how long ago that was, seconds.
        host: its client's; "" on a unix socket.
        command: what it does; "" if that is not known.
        key: a hash of its key, or the key itself (see `SlowListStatus.keys`); "" if that is not known.
        waited_s: for how long it waited, seconds.
        waited_for: "peers", "view", "room" or "lock".
        nodes: the nodes that were seen to be behind.
        answered: whether its client was still there.
    """

    at: float
    ago_s: float
    host: str
    command: str
    key: str
    waited_s: float
    waited_for: str
    nodes: list[str]
    answered: bool


class SlowListStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The last slow commands of one node.

    Attributes:
        node: its address in --nodes.
        limit_s: who has waited for so long is slow, seconds.
        commands: the latest first.
        keys: whether keys are told, and no hashes of them.
        format: of all this.
    """

    node: str
    limit_s: float
    commands: list[SlowStatus]
    keys: bool = False
    format: int = 1
