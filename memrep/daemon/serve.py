"""From the start of the process to its end: what comes before a node serves, and who takes its place.

Problem: a node that has failed in its own doing may hold torn data, and a new process would be the cure. But
what a process has of its machine (place.py) might not be had again when it has ended.

So it is the daemon that is replaced, within the process and at the same place: by an empty one, as after a
restart. Should that have to be done again soon there is a pause first, a longer one each time. So it is, too,
when an operator lets a node in again that was drained (standby.py).
"""

from __future__ import annotations

import gc
import os
import time
from collections import deque
from datetime import UTC, datetime
from typing import Final

from memrep import __version__
from memrep.daemon.daemon import Daemon
from memrep.daemon.host import BREATH_S
from memrep.daemon.http_port import warning_of_http
from memrep.daemon.journal import STDERR, is_journal
from memrep.daemon.local_address import is_private
from memrep.daemon.log import LAST_WORDS_S, Log, keep_standard_files_open
from memrep.daemon.log_format import LogFormat
from memrep.daemon.metrics_page import warning_of_library
from memrep.daemon.options import ServeOptions
from memrep.daemon.place import Place
from memrep.daemon.reload import Reloader, Source
from memrep.daemon.signals import hear
from memrep.events import OPEN_TO_STRANGERS, STARTS, STOPPED, Line, Tell

#: If a node that had to begin anew has to do so again within so many seconds, it makes a pause first, and a
#: longer one each time.
_STEADY_S: Final = 10.0
_PAUSE_MAX_S: Final = 5.0


def serve(options: ServeOptions, source: Source | None = None) -> None:
    """Run a node until SIGTERM, SIGINT or an enabled `shutdown`.

    Args:
        options: what it was told.
        source: where that comes from; None if it is settled for good.

    Raises:
        UsageError: a port cannot be had, or the system's limits do not allow what is asked.
        OSError: the system refuses something else that it takes to begin.
    """
    keep_standard_files_open()
    signals = hear()
    form = LogFormat(
        node=str(options.me),
        named=len(options.nodes) > 1,
        json=options.log_json,
        journal=is_journal(STDERR),
    )
    journal = Log(form, options.log_level)
    try:
        place = Place.of(options)
        try:
            _serve_at(place, Reloader(options, source, place.reader.run), journal, signals)
        finally:
            place.give_up()
        journal.log(STOPPED())
    finally:
        journal.close(LAST_WORDS_S)


def _serve_at(place: Place, reloader: Reloader, journal: Log, signals: deque[int]) -> None:
    """Run one daemon after another at this place, until one has ended because it was told to."""
    daemon = Daemon(reloader, place, journal, signals)
    journal.capture()
    _announce(reloader.options, place, journal.log)
    gc.freeze()  # what exists now lives as long as the process: no collection needs to look at it again
    began, pause = time.monotonic(), 0.0
    daemon.serve()
    while daemon.distrusted or daemon.resumes:
        steady = daemon.resumes or time.monotonic() - began >= _STEADY_S
        pause = 0.0 if steady else min(2 * pause + BREATH_S, _PAUSE_MAX_S)
        time.sleep(pause)
        gc.unfreeze()
        daemon = Daemon(reloader, place, journal, signals)
        gc.collect()
        began = time.monotonic()
        daemon.serve()


def _announce(options: ServeOptions, place: Place, log: Tell) -> None:
    others = [str(node) for node in options.nodes if node != options.me]
    log(
        STARTS(
            process=os.getpid(),
            version=__version__,
            clients=" ".join(map(str, place.listeners)),
            redis=" ".join(map(str, place.redis)),
            port=options.me.link_port if others else 0,
            others=" ".join(others),
            admin=str(place.admin) if place.admin.sock else "",
            http=" ".join(map(str, place.http.listeners)),
        )
    )
    for warning in (
        place.admin.warning,
        warning_of_strangers(options),
        warning_of_http(options.http),
        warning_of_library() if options.http else None,
        options.certificate.warning(datetime.now(UTC)) if options.certificate is not None else None,
    ):
        if warning is not None:
            log(warning)


def warning_of_strangers(options: ServeOptions) -> Line | None:
    """Tell what is open to whom, and what to do; None if only this machine and private networks reach it."""
    if is_private(options.listen):
        return None
    todo = ["let a firewall admit only the pool (deploy/nftables.conf)"]
    if options.node.users is None:
        todo.append("ask clients for a password (--auth-file)")
    if options.certificate is None:
        todo.append("encrypt what they send (--tls-cert)")
    if len(options.nodes) > 1 and not options.node.secrets:
        todo.append("let nodes prove who they are (--secret-file)")
    return OPEN_TO_STRANGERS(listen=options.listen, remedy=", ".join(todo))
