"""Three servers, on each of which a memrep node and a memcached run; what is done is done to both of them."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.comparison.servers import SERVERS, MemcachedServers, Servers
from bench.comparison.setups import SETUPS
from memrep.cli.asking import NoAnswerError, Where, ask
from memrep.status.facts import SERVING
from tests.real.balanced_site import Site

#: What a server may be; RUNS is what it comes back to.
RUNS: Final = "runs"
KILLED: Final = "killed"
FROZEN: Final = "frozen"
CUT_OFF: Final = "cut off"

#: The sites, by what keeps their sessions; and the set-up of each.
MEMREP: Final = "memrep"
MEMCACHED: Final = "memcached"
_SETUPS: Final = {MEMREP: "memrep-memcache", MEMCACHED: "memcached"}

_ANSWER_S: Final = 0.5


class Told(Servers):
    """Three memreps, each with an admin socket: a file, which no network can keep from being asked."""

    def admin(self, i: int) -> Path:
        """Return the admin socket of node i."""
        return self.directory / f"admin{i}.sock"

    def argv(self, i: int) -> list[str]:
        """Return the command that runs node i."""
        return [*super().argv(i), "--admin", str(self.admin(i))]


class Stage:
    """The servers and both sites, started on entry and ended on exit.

    Args:
        directory: for logs and sockets.

    Attributes:
        conditions: what each server is.
        sites: the sites, by what keeps their sessions.
    """

    def __init__(self, directory: Path) -> None:
        self.conditions = [RUNS] * SERVERS
        self.sites: dict[str, Site] = {}
        self._directory = directory
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._memreps = Told(self._folder(MEMREP))
        self._kinds: dict[str, Servers] = {
            MEMREP: self._memreps, MEMCACHED: MemcachedServers(self._folder(MEMCACHED))
        }  # fmt: skip

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for name, servers in self._kinds.items():
                stack.enter_context(servers)
                client = SETUPS[_SETUPS[name]].client(servers, 0)
                site = Site(client.settings, self._folder(f"site-{name}"))
                self.sites[name] = stack.enter_context(site)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        for i in range(SERVERS):
            self.bring_back(i)
        self._stack.__exit__(kind, failure, trace)

    def _folder(self, name: str) -> Path:
        folder = self._directory / name
        folder.mkdir()
        return folder

    def strike(self, i: int, condition: str) -> bool:
        """Kill, freeze or cut off server i, for both sites; False if that cannot be done now."""
        with self._lock:
            if self.conditions[i] != RUNS or condition not in (KILLED, FROZEN, CUT_OFF):
                return False
            for servers in self._kinds.values():
                if condition == KILLED:
                    servers.kill(i)
                elif condition == FROZEN:
                    servers.freeze(i)
                else:
                    servers.isolate(i)
            self.conditions[i] = condition
            return True

    def bring_back(self, i: int) -> bool:
        """Start, thaw or reconnect server i; False if it runs."""
        with self._lock:
            condition, self.conditions[i] = self.conditions[i], RUNS
            for servers in self._kinds.values():
                if condition == KILLED:
                    servers.start(i)
                elif condition == FROZEN:
                    servers.thaw(i)
                elif condition == CUT_OFF:
                    servers.filter(i, "flush chain inet cut input; flush chain inet cut output")
            return condition != RUNS

    def told(self) -> bytes | None:
        """Return what a node that serves tells of all of them, as JSON; of another one if none serves."""
        found = None
        for i, condition in enumerate(self.conditions):
            if condition in (KILLED, FROZEN):
                continue
            try:
                answer = ask(Where(admin=str(self._memreps.admin(i))), _ANSWER_S)
            except NoAnswerError:
                continue
            found = found or answer.body
            if condition == RUNS and any(n.asked and n.state == SERVING for n in answer.status.nodes):
                return answer.body
        return found
