"""The page of metrics, and what is said where the library for it is not installed.

Problem: the library costs every node memory and time at its start, and most nodes are asked for no metrics. So
it is imported when somebody asks for the first time, for which the loop stands still a moment; or at the start,
if a port for HTTP is open, for then somebody will.

A node without it is as good a node. It says what to install, and nothing else is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memrep.daemon.http_exchange import Answer, Request, one_line
from memrep.daemon.slices import in_turns
from memrep.events import NO_METRICS, Line
from memrep.status.metric import Gathered

_MISSING: Final = (
    "prometheus_client is not installed where memrep runs: pip install prometheus_client, or "
    "apt install python3-prometheus-client for Debian's Python; then restart memrep"
)


def warning_of_library() -> Line | None:
    """Import the library, and return what to say where there is none; None if there is one."""
    try:
        import memrep.daemon.exposition  # noqa: F401, PLC0415 (for what it costs, see above)
    except ImportError:
        return NO_METRICS(error=_MISSING)
    return None


class MetricsPage:
    """The page.

    Args:
        gather: tells what metrics are made of.
    """

    def __init__(self, gather: Callable[[], Gathered]) -> None:
        self._gather = gather

    async def tell(self, request: Request) -> Answer:
        """Tell all metrics, in the format that is asked for; they are made in several turns of the loop."""
        try:
            from memrep.daemon.exposition import expose  # noqa: PLC0415 (for what it costs, see above)
        except ImportError:
            return one_line(501, _MISSING)
        text, content_type = await in_turns(expose(self._gather(), request.headers.get("accept", "")))
        return Answer(200, content_type, text)
