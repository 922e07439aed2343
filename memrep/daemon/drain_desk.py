"""What an operator asks of draining at the admin socket.

    /drain      whether this node is in service, as JSON (status/service_facts.py); by POST: take it out, as the
                body says, a DrainOrder
    /resume     POST: let it in again

Nobody is kept waiting here: a drain goes on by itself, and whoever has asked for it looks how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from memrep.daemon.http_exchange import Answer, Handle, Request, one_line
from memrep.daemon.standby import LEAST_S, Standby
from memrep.status.service_facts import DrainOrder, ServiceStatus


class DrainDesk:
    """Answers an operator who drains.

    Args:
        node: this node's address.
        standby: drains.
        hindrance: tells why clients may not come; "" if they may.

    Attributes:
        pages: who answers what is read.
        acts: who answers what changes anything.
    """

    def __init__(self, node: str, standby: Standby, hindrance: Callable[[], str]) -> None:
        self._node = node
        self._standby = standby
        self._hindrance = hindrance
        self.pages: dict[str, Handle] = {"/drain": self._tell}
        self.acts: dict[str, Handle] = {"/drain": self._drain, "/resume": self._resume}

    def _drain(self, request: Request) -> Answer:
        try:
            order = msgspec.json.decode(request.body or b"{}", type=DrainOrder)
        except msgspec.DecodeError as error:
            return one_line(400, f"the body is to be a DrainOrder as JSON, or empty: {error}")
        if not 0 <= order.lame_duck_s <= order.wait_s - LEAST_S:
            return one_line(
                400,
                f"clients are let in for {order.lame_duck_s:g} s, and to drain takes {LEAST_S:g} s besides: "
                f"{order.wait_s:g} s in all are too few",
            )
        refusal = self._standby.begin(order, request.caller)
        return one_line(409, refusal) if refusal else self._tell(request)

    def _resume(self, request: Request) -> Answer:
        self._standby.resume(request.caller)
        return self._tell(request)

    def _tell(self, request: Request) -> Answer:
        hindrance = self._hindrance()
        why = hindrance or self._standby.why
        told = ServiceStatus(self._node, self._standby.state, not hindrance, why)
        return Answer(200, "application/json", msgspec.json.encode(told))
