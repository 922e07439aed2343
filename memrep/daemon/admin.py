"""What the admin socket tells besides the pages that are there for everybody, and what can be done there.

Whoever asks there is this machine's root, or of the service's group. So it tells of clients:

    /clients    this node's clients, as JSON (status/client_facts.py)

What changes anything is asked by POST, and logged with who has asked for it:

    /clients/kill   hang up on the client whose address is the body, or on all of that host

What belongs together and is more than this has a desk of its own, with its pages and acts (drain_desk.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from memrep.daemon.http_exchange import Answer, Request, SlowHandle, one_line
from memrep.daemon.pages import Pages, answer_from
from memrep.events import CLIENTS_KILLED, Tell
from memrep.status.client_facts import ClientsStatus


class Desk(Protocol):
    """Answers what belongs together.

    Attributes:
        pages: who answers what is read, by what is asked for.
        acts: who answers what changes anything.
    """

    @property
    def pages(self) -> Mapping[str, SlowHandle]: ...

    @property
    def acts(self) -> Mapping[str, SlowHandle]: ...


class Admin:
    """The pages of the admin socket.

    Args:
        pages: those for everybody.
        clients: tells who is connected.
        kill: hangs up on a client by its address, or on all of a host; returns on how many.
        log: takes a line for the operator.
        desks: those who answer more.
    """

    def __init__(
        self,
        pages: Pages,
        clients: Callable[[], ClientsStatus],
        kill: Callable[[str], int],
        log: Tell,
        desks: Sequence[Desk] = (),
    ) -> None:
        self._clients = clients
        self._kill = kill
        self._log = log
        self._pages: dict[str, SlowHandle] = {**pages.pages, "/clients": self._tell_clients}
        self._acts: dict[str, SlowHandle] = {"/clients/kill": self._kill_clients}
        for desk in desks:
            self._pages |= desk.pages
            self._acts |= desk.acts

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer a request."""
        return answer_from(self._pages, self._acts, request)

    def _tell_clients(self, request: Request) -> Answer:
        return Answer(200, "application/json", msgspec.json.encode(self._clients()))

    def _kill_clients(self, request: Request) -> Answer:
        whom = request.body.decode(errors="replace").strip()
        if not whom:
            return one_line(400, "say in the body whom to hang up on: an address, or a host")
        count = self._kill(whom)
        self._log(CLIENTS_KILLED(clients=count, whom=whom, who=request.caller))
        return one_line(200, str(count))
