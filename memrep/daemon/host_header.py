"""Whom a request means: one that means another host is refused.

Problem: a browser on a machine that reaches this port may have a page open from anywhere. By its rules that
page reads answers of its own host only; but whoever owns the page owns its name, too, and can let it stand for
this machine's address from now on (DNS rebinding). The browser then asks here and lets the page read the
answer. What it cannot do is name another host in the request than the page's own.

So a request is answered if it names an address, or a name that is known to be this machine's. No name of a page
from elsewhere is among these. A request without any comes from no browser.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Iterable
from typing import Final

from memrep.daemon.http_exchange import Answer, Request, SlowHandle, one_line

#: A host with or without a port behind it; an IPv6 address stands in brackets.
_HOST: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::\d*)?")

_ALWAYS: Final = "localhost"


class HostCheck:
    """A handler before another one, which is asked what means this machine.

    Args:
        names: of this machine.
        handle: the other one.
    """

    def __init__(self, names: Iterable[str], handle: SlowHandle) -> None:
        self._names = frozenset(_plain(name) for name in (_ALWAYS, *names) if name)
        self._handle = handle

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer a request."""
        for named in (request.headers.get("host"), request.authority):
            if named is not None and not self._is_own(named):
                known = " ".join(sorted(self._names))
                return one_line(421, f"ask by an IP address, or by a name of this machine: {known}")
        return self._handle(request)

    def _is_own(self, named: str) -> bool:
        found = _HOST.fullmatch(named.strip())
        if found is None:
            return False
        host = found[1]
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return _plain(host) in self._names
        return True


def _plain(name: str) -> str:
    """Spell a name in one way: in lower case, without the dot of the root."""
    return name.lower().removesuffix(".")
