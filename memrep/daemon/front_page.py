"""The page for people at `/`, made by memrep/page when somebody asks.

Problem: nobody opens it at most nodes, for weeks. So what makes it is imported when somebody does: that takes
10 to 20 ms once, and a megabyte.

To make it takes a thousandth of a second or two, which is longer than a client's request is to wait for
anything. So it is made in steps, one in a turn of the loop.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.daemon.http_exchange import Answer, Request
from memrep.daemon.slices import in_turns
from memrep.status.facts import Status
from memrep.status.last_hour import LastHour


class FrontPage:
    """The page.

    Args:
        status: tells all that the node knows.
        last_hour: tells what it has noted of itself.
        hindrance: tells why no clients come in though the node serves; "" if they do.
    """

    def __init__(
        self, status: Callable[[], Status], last_hour: Callable[[], LastHour], hindrance: Callable[[], str]
    ) -> None:
        self._status = status
        self._last_hour = last_hour
        self._hindrance = hindrance

    async def tell(self, request: Request) -> Answer:
        """Show how the cluster is, made in several turns; who asks for `/?still` is shown it once."""
        from memrep.page.document import STILL, document  # noqa: PLC0415 (for what it costs, see above)

        still = STILL in request.query.split("&")
        made = await in_turns(document(self._status(), self._last_hour(), self._hindrance(), still=still))
        return Answer(200, "text/html; charset=utf-8", made.body, made.headers)
