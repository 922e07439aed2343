"""What is told of a node by HTTP to everybody who may ask: to read, and of no client.

Theory: a node that does not serve refuses its clients, and `stats` with them, just when somebody wants to know
why. These pages are there in every state, and ask nothing of a state: what they tell is made from what the node
knows at this moment. The port of --http has them and nothing else; the admin socket has more (admin.py).

    /           the same for people, as a page (memrep/page)
    /healthz    the loop turns, or nothing would answer
    /ready      clients may come: 200; they may not, and why: 503
    /status     the cluster as this node sees it, as JSON (status/facts.py)
    /metrics    figures for Prometheus (status/metrics.py)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import attrs
import msgspec

from memrep.daemon.http_exchange import Answer, Request, SlowHandle, not_allowed, one_line
from memrep.status.facts import SERVING, Status
from memrep.status.nodes import why_not_ready

_Answered = TypeVar("_Answered")

_METHODS: Final = ("GET", "HEAD", "OPTIONS")


class Pages:
    """The pages.

    Args:
        status: tells all that the node knows.
        hindrance: tells why no clients come in though the node serves; "" if they do.
        front: shows all of it to people.
        metrics: answers who asks for them.

    Attributes:
        pages: who answers, by what is asked for.
    """

    def __init__(
        self, status: Callable[[], Status], hindrance: Callable[[], str], front: SlowHandle, metrics: SlowHandle
    ) -> None:
        self._status = status
        self._hindrance = hindrance
        self.pages: dict[str, SlowHandle] = {
            "/": front,
            "/healthz": self._tell_health,
            "/ready": self._tell_readiness,
            "/status": self._tell_status,
            "/metrics": metrics,
        }

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer a request."""
        return answer_from(self.pages, {}, request)

    def _tell_health(self, request: Request) -> Answer:
        return one_line(200, "ok")

    def why_not_ready(self) -> str:
        """Tell why clients had better not come; "" if they may."""
        (asked,) = (node for node in self._status().nodes if node.asked)
        return why_not_ready(asked, self._hindrance())

    def _tell_readiness(self, request: Request) -> Answer:
        reason = self.why_not_ready()
        return one_line(503, reason) if reason else one_line(200, SERVING)

    def _tell_status(self, request: Request) -> Answer:
        return Answer(200, "application/json", msgspec.json.encode(self._status()))


def answer_from(
    pages: Mapping[str, Callable[[Request], _Answered]],
    acts: Mapping[str, Callable[[Request], _Answered]],
    request: Request,
) -> Answer | _Answered:
    """Answer a request, or say what there is.

    Args:
        pages: who answers what is read, by what is asked for.
        acts: who answers what changes anything.
        request: that which has come.
    """
    act, page = acts.get(request.path), pages.get(request.path)
    if act is not None and (page is None or request.method == "POST"):
        return act(request) if request.method == "POST" else not_allowed(("POST",))
    if page is None:
        return one_line(404, f"there is no such page; there are {' '.join(dict.fromkeys((*pages, *acts)))}")
    methods = _METHODS if act is None else (*_METHODS, "POST")
    if request.method not in methods:
        return not_allowed(methods)
    if request.method == "OPTIONS":
        return attrs.evolve(one_line(200, ""), headers=(("Allow", ", ".join(methods)),))
    return page(request)
