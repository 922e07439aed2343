"""From the start of the process to its end: what comes before a node serves, and who takes its place.

Problem: a node that has failed in its own doing may hold torn data, and a new process would be the cure. But
what a process has of its machine (place.py) might not be had again when it has ended.

So it is the daemon that is replaced, within the process and at the same place: by an empty one, as after a
restart. Should that have to be done again soon there is a pause first, a longer one each time.
"""

from __future__ import annotations

import gc
import os
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from memrep.daemon.daemon import Daemon
from memrep.daemon.host import BREATH_S
from memrep.daemon.local_address import is_private
from memrep.daemon.log import LAST_WORDS_S, Log, keep_standard_files_open
from memrep.daemon.options import ServeOptions
from memrep.daemon.place import Place
from memrep.daemon.signals import hear

#: If a node that had to begin anew has to do so again within so many seconds, it makes a pause first, and a
#: longer one each time.
_STEADY_S: Final = 10.0
_PAUSE_MAX_S: Final = 5.0


def serve(options: ServeOptions) -> None:
    """Run a node until SIGTERM, SIGINT or an enabled `shutdown`.

    Raises:
        UsageError: a port cannot be had, or the system's limits do not allow what is asked.
        OSError: the system refuses something else that it takes to begin.
    """
    keep_standard_files_open()
    signals = hear()
    journal = Log(str(options.me) if len(options.nodes) > 1 else "")
    try:
        place = Place.of(options)
        try:
            _serve_at(place, options, journal, signals)
        finally:
            place.give_up()
        journal.log("memrep has stopped")
    finally:
        journal.close(LAST_WORDS_S)


def _serve_at(place: Place, options: ServeOptions, journal: Log, signals: deque[int]) -> None:
    """Run one daemon after another at this place, until one has ended because it was told to."""
    daemon = Daemon(options, place, journal, signals)
    journal.capture()
    _announce(options, place, journal.log)
    gc.freeze()  # what exists now lives as long as the process: no collection needs to look at it again
    began, pause = time.monotonic(), 0.0
    daemon.serve()
    while daemon.distrusted:
        pause = min(2 * pause + BREATH_S, _PAUSE_MAX_S) if time.monotonic() - began < _STEADY_S else 0.0
        time.sleep(pause)
        gc.unfreeze()
        daemon = Daemon(options, place, journal, signals)
        gc.collect()
        began = time.monotonic()
        daemon.serve()


def _announce(options: ServeOptions, place: Place, log: Callable[[str], None]) -> None:
    others = [str(node) for node in options.nodes if node != options.me]
    log(
        f"memrep starts, process {os.getpid()}, clients on {' '.join(map(str, place.listeners))}"
        + (f", Redis' clients on {' '.join(map(str, place.redis))}" if place.redis else "")
        + (f", nodes on port {options.me.link_port}, with {' '.join(others)}" if others else "")
    )
    if warning := warning_of_strangers(options):
        log(warning)
    if options.certificate is not None and (warning := options.certificate.warning(datetime.now(UTC))):
        log(warning)


def warning_of_strangers(options: ServeOptions) -> str:
    """Tell what is open to whom, and what to do; "" if only this machine and private networks reach it."""
    if is_private(options.listen):
        return ""
    todo = ["let a firewall admit only the pool (deploy/nftables.conf)"]
    if options.node.users is None:
        todo.append("ask clients for a password (--auth-file)")
    if options.certificate is None:
        todo.append("encrypt what they send (--tls-cert)")
    if len(options.nodes) > 1 and not options.node.secret:
        todo.append("let nodes prove who they are (--secret-file)")
    return f"warning: strangers can reach {options.listen}: " + ", ".join(todo)
