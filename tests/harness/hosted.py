"""A reactor that a trio task serves, for tests that are trio tasks; in a daemon trio is the guest."""

from __future__ import annotations

import trio

from memrep.daemon.reactor import Reactor


async def serve(reactor: Reactor) -> None:
    """Serve for ever, and run the errands."""
    while True:
        if reactor.pending:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_readable(reactor)
        reactor.serve(0)
        while reactor.errands:
            reactor.errands.popleft()()
