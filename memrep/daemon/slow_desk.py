"""What an operator asks of slow commands at the admin socket.

/slow       the last commands that waited for long, as JSON (status/slow_facts.py); ?keys=1 tells keys, and
            no hashes of them
"""

from __future__ import annotations

import time

import msgspec

from memrep.daemon.http_exchange import Answer, Request, SlowHandle
from memrep.daemon.key_names import named
from memrep.node.node import Node
from memrep.node.slow_commands import SlowCommand
from memrep.status.slow_facts import SlowListStatus, SlowStatus


class SlowDesk:
    """Answers an operator who looks for slow commands.

    Args:
        node: this node.

    Attributes:
        pages: who answers what is read.
        acts: who answers what changes anything.
    """

    def __init__(self, node: Node) -> None:
        self._names = node.options.nodes
        self._me = node.options.nodes[node.options.me - 1]
        self._slow = node.clients.slow
        self.pages: dict[str, SlowHandle] = {"/slow": self._tell}
        self.acts: dict[str, SlowHandle] = {}

    def _tell(self, request: Request) -> Answer:
        openly = request.parameters.get("keys") == b"1"
        now = time.time()
        told = SlowListStatus(
            node=self._me,
            limit_s=self._slow.limit_ms / 1000,
            commands=[self._told(command, now, openly) for command in reversed(self._slow.last)],
            keys=openly,
        )
        return Answer(200, "application/json", msgspec.json.encode(told))

    def _told(self, command: SlowCommand, now: float, openly: bool) -> SlowStatus:
        at = command.at / 1000
        return SlowStatus(
            at=at,
            ago_s=max(0.0, now - at),
            host=command.host,
            command=command.name,
            key=named(command.key, openly=openly) if command.key else "",
            waited_s=command.waited_ms / 1000,
            waited_for=command.waited_for,
            nodes=[self._names[node - 1] for node in command.nodes],
            answered=command.answered,
        )
