"""The task that has options read anew, for whoever wishes it, and tells what has come of it.

A signal comes at any time, and a wish by the admin socket while another one is being carried out: one comes
after the other (reload.py). systemd is told as long as it lasts (sd_notify(3), RELOADING=1), so that `systemctl
reload` returns when it is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

import trio

from memrep.daemon.options import ServeOptions
from memrep.daemon.reload import LOOK_S, Reloader
from memrep.events import RELOAD_REFUSED, RELOADED, Tell
from memrep.status.reloads import Reloaded

#: Between two times that a certificate is told of which will soon expire, s.
_DAY_S: Final = 86_400.0


class _TellSystemd(Protocol):
    def __call__(self, **lines: str) -> None: ...


class ReloadTask:
    """What has options read anew.

    Args:
        reloader: reads them.
        fit: raises UsageError if the system does not allow what these options ask for.
        take: makes them those of the node; it must not fail.
        log: takes a line for the operator.
        tell: tells systemd.

    Attributes:
        reloader: see above.
    """

    def __init__(
        self,
        reloader: Reloader,
        fit: Callable[[ServeOptions], None],
        take: Callable[[ServeOptions], None],
        log: Tell,
        tell: _TellSystemd,
    ) -> None:
        self.reloader = reloader
        self._fit = fit
        self._take = take
        self._log = log
        self._tell = tell
        self._wished = trio.Event()

    async def keep(self) -> None:
        """Read all options when that is wished, and files when they have changed, for ever.

        Nobody may have renewed a certificate: that it soon expires is told each day.
        """
        age_due = trio.current_time() + _DAY_S  # it is told at the start, too
        while True:
            with trio.move_on_after(LOOK_S):
                await self._wished.wait()
            if self._wished.is_set():
                self._wished = trio.Event()
                await self.reload("SIGHUP")
            elif self.reloader.watches:
                outcome = await self.reloader.look(self._fit, self._take)
                if outcome is not None:
                    self._report("a file has changed", outcome)
            if trio.current_time() >= age_due:
                age_due += _DAY_S
                self._tell_age()

    def wish(self) -> None:
        """Have them read soon."""
        self._wished.set()

    async def reload(self, who: str) -> Reloaded:
        """Have them read now, and return what has come of it.

        Args:
            who: wishes that, for the log.
        """
        self._tell(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1000))
        try:
            outcome = await self.reloader.reload(self._fit, self._take)
            self._report(who, outcome)
        finally:
            self._tell(READY="1")
        return outcome

    def _tell_age(self) -> None:
        certificate = self.reloader.options.certificate
        warning = certificate.warning(datetime.now(UTC)) if certificate is not None else None
        if warning is not None:
            self._log(warning)

    def _report(self, who: str, outcome: Reloaded) -> None:
        if outcome.refused:
            self._log(RELOAD_REFUSED(who=who, reason="; ".join(outcome.refused)))
        else:
            self._log(RELOADED(who=who, changed=" ".join(outcome.changed) or "nothing has changed"))
