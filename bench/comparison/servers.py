"""Three servers, each with the network of a machine of its own, and on each of them one program.

PHP and its visitors live beside them, so that what is cut off is a server and not its users. All programs are
as urgent as memrep's unit makes memrep: who else is busy on the machine disturbs them equally.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.faults.network import Networked
from tests.faults.nodes import Memcacheds
from tests.real.processes import CHECKOUT, Child, accepts, find_program, until
from tests.real.urgency import as_the_unit_runs

SERVERS: Final = 3

#: The one to which it is done; where one of them leads the others, that is this one.
VICTIM: Final = 0

#: Where PHP finds haproxy, beside it.
HAPROXY_PORT: Final = 6380

#: What deploy/haproxy/memrep.cfg has for the nodes' addresses.
_EXAMPLES: Final = ("10.1.1.1", "10.2.2.2", "10.3.3.3")

_WHOLE_TIMEOUT_S: Final = 30.0


class Servers(Networked):
    """Three memreps."""

    def __init__(self, directory: Path) -> None:
        super().__init__(SERVERS, directory)

    def argv(self, i: int) -> list[str]:
        """The command that runs the program of server i."""
        return as_the_unit_runs(super().argv(i))

    def restart(self, i: int) -> None:
        """Restart the program on server i, as its operator would."""
        self.stop(i)
        self.start(i)

    def split_off(self, i: int) -> None:
        """Drop what server i and the others send to each other; PHP reaches all."""
        for other in range(self.count):
            if other != i:
                self.block(i, other)
                self.block(other, i)

    def wait_whole(self) -> None:
        """Return when all servers serve."""
        until(self.whole, _WHOLE_TIMEOUT_S, "all servers serve")


class BalancedServers(Servers):
    """Three memreps, and beside PHP a haproxy as deploy/ has it."""

    def whole(self) -> bool:
        """Whether all serve; haproxy comes behind them."""
        if not super().whole():
            return False
        if "haproxy" not in self.children:
            text = (CHECKOUT / "deploy" / "haproxy" / "memrep.cfg").read_text()
            for example, (host, _) in zip(_EXAMPLES, self.addresses, strict=True):
                text = text.replace(example, host)
            start_haproxy(self, text)
        return accepts(HAPROXY_PORT)


def start_haproxy(servers: Servers, text: str) -> None:
    """Start a haproxy beside PHP with this configuration."""
    configuration = servers.directory / "haproxy.cfg"
    configuration.write_text(text)
    argv = [find_program("haproxy"), "-db", "-f", str(configuration)]
    servers.add(Child("haproxy", as_the_unit_runs(argv), servers.directory))


class MemcachedServers(Servers, Memcacheds):
    """Three memcacheds, which do not know of each other."""
