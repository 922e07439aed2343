"""What is done to one of three servers, and when, while PHPs make pages.

Each PHP has sessions of its own, and visits them in turn; every session was written before the story begins.
The story goes on for a while after the fault is over: what comes back may do more harm than what goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs

from bench.comparison.pages import Measured, Page, measure, pages_of
from bench.comparison.servers import VICTIM, Servers
from bench.comparison.setups import SETUPS, Setup
from tests.real.php import Php
from tests.real.processes import pause

PHPS: Final = 6
SESSIONS_EACH: Final = 20
PACE_MS: Final = 100
_ROUNDS_BEFORE: Final = 2

#: A page may wait for a lock of 30 s.
_END_TIMEOUT_S: Final = 90.0


@attrs.frozen
class Lengths:
    """How long the parts of a story are, seconds.

    Attributes:
        before: pages before the fault.
        down: how long a server is gone or cut off.
        frozen: how long it is frozen.
        after: pages after the fault is over.
    """

    before: float = 2.0
    down: float = 4.0
    frozen: float = 3.0
    after: float = 12.0


QUICK: Final = Lengths(before=1.0, down=3.0, frozen=3.0, after=5.0)


@attrs.frozen
class Story:
    """A story: what it is called, what it means, and what is done."""

    label: str
    strike: Callable[[Servers, Lengths], None]


def _nothing(_servers: Servers, lengths: Lengths) -> None:
    pause(lengths.down)


def _kill(servers: Servers, lengths: Lengths) -> None:
    servers.kill(VICTIM)
    pause(lengths.down)
    servers.start(VICTIM)


def _freeze(servers: Servers, lengths: Lengths) -> None:
    servers.freeze(VICTIM)
    try:
        pause(lengths.frozen)
    finally:
        servers.thaw(VICTIM)


def _isolate(servers: Servers, lengths: Lengths) -> None:
    servers.isolate(VICTIM)
    pause(lengths.down)
    servers.heal()


def _split(servers: Servers, lengths: Lengths) -> None:
    servers.split_off(VICTIM)
    pause(lengths.down)
    servers.heal()


def _restart(servers: Servers, _lengths: Lengths) -> None:
    servers.restart(VICTIM)


STORIES: Final[Mapping[str, Story]] = {
    "calm": Story("nothing happens", _nothing),
    "kill": Story("killed, returns empty", _kill),
    "freeze": Story("frozen", _freeze),
    "isolate": Story("cut off from everybody", _isolate),
    "split": Story("cut off from the other servers", _split),
    "restart": Story("planned restart", _restart),
}


def tell(setup_name: str, story_name: str, lengths: Lengths, directory: Path) -> Measured:
    """Let a story happen to a set-up, from its start to its end."""
    setup, story = SETUPS[setup_name], STORIES[story_name]
    with setup.servers(directory) as servers, _phps(setup, servers) as phps:
        for php in phps:
            php.order("flow", cycles=1, pace_ms=PACE_MS, tell=True)
        pause(lengths.before)
        fault_at = time.time()
        story.strike(servers, lengths)
        over_s = time.time() - fault_at
        pause(lengths.after)
        for php in phps:
            php.order("stop")
        pages: list[Page] = []
        for php in phps:
            php.summary(_END_TIMEOUT_S)
            pages += pages_of(php.anomalies, fault_at, first_count=_ROUNDS_BEFORE)
        servers.wait_whole()
    return measure(setup_name, story_name, over_s, pages)


@contextmanager
def _phps(setup: Setup, servers: Servers) -> Iterator[list[Php]]:
    """Run PHPs that have visited each of their sessions, without a fault."""
    with ExitStack() as stack:
        phps = []
        for number in range(PHPS):
            client = setup.client(servers, number)
            php = Php(
                client.settings, servers.directory, f"php{number}", SESSIONS_EACH,
                label=f"php{number}", within=client.within,
            )  # fmt: skip
            phps.append(stack.enter_context(php))
        for php in phps * _ROUNDS_BEFORE:
            outcome = php.ask("round")
            assert outcome.ok == SESSIONS_EACH, f"before the fault: {outcome}"
        yield phps
