"""Options that are read anew while a node runs: all if an operator asks, files by themselves.

Problem: certificates end, secrets and passwords change, a limit was too small; and each restart of a node is a
copy of all sessions less for a while.

Rule: all or nothing. What has come is looked at as a whole, as at the start and by the same code: the file, the
environment and the command line, in their order. Only if nothing is wrong with it, and nothing in it has
changed that needs a restart (reloadable.py), the node takes it, in one turn and with nothing that could fail.
Else it goes on as it was, and says why in one line.

Files are looked at each minute, too: whoever renews a certificate need not know who uses it, and Kubernetes
tells nobody when it has swapped a secret. A file that was refused is not looked at again before it changes.

All reading is done in a thread: a disk may be slow, and the loop must not wait for one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from memrep.daemon.options import ServeOptions
from memrep.daemon.origins import Given
from memrep.daemon.reloadable import FILES, needs
from memrep.daemon.threads import InThread
from memrep.errors import UsageError
from memrep.status.reloads import Reloaded

#: Between two looks at the files, s.
LOOK_S: Final = 60.0

#: A file as it was when it was looked at: when it was changed, which one it is, how long it is.
_Look = tuple[int, int, int, int]

_Answered = TypeVar("_Answered")


@attrs.frozen
class Source:
    """Where the options of a node come from.

    Attributes:
        given: what was given at the start, by option.
        read: returns what is given now; raises UsageError if that cannot be told.
        check: returns options as they are with what is given now; raises UsageError if that will not do.
        start: returns the options of a node that starts with what is given; raises UsageError if none would.
    """

    given: Given = attrs.Factory(Given)
    read: Callable[[], Given] = Given
    check: Callable[[ServeOptions, Mapping[str, object]], ServeOptions] = lambda options, given: options
    start: Callable[[Mapping[str, object]], ServeOptions | None] = lambda given: None


class _RefusedError(Exception):
    """What is given will not do; the arguments say why."""


class Reloader:
    """The options of a process as they are now.

    Args:
        options: as they were at the start.
        source: where they come from; None if they are settled for good.
        in_thread: reads them.

    Attributes:
        options: see above.
        source: see above.
        given: what the node runs with, as it was given.
        refused: why the latest reload, or look at a file that had changed, was none; empty if it was without a
            mistake.
        at: when options were taken last, seconds since 1970.
    """

    def __init__(self, options: ServeOptions, source: Source | None, in_thread: InThread) -> None:
        self.options = options
        self._in_thread = in_thread
        self.refused: list[str] = []
        self.at = time.time()
        self.source = source or Source()
        self.given = self.source.given
        self._seen = self._taken = self._look(self.given)
        self._lock = trio.Lock()

    @property
    def watches(self) -> bool:
        """Tell whether there are files to be looked at."""
        return bool(self._seen)

    @property
    def succeeded(self) -> bool:
        """Tell whether the latest one was without a mistake."""
        return not self.refused

    def other_files(self, given: Mapping[str, object]) -> set[str]:
        """Return the options whose files are others than those that were taken; it may wait for a disk."""
        found = self._look(given)
        return {name for name in FILES if found.get(name) != self._taken.get(name)}

    async def ask(self, question: Callable[[], _Answered]) -> _Answered:
        """Have something looked up that may wait for a disk, while nothing is read anew."""
        async with self._lock:
            return await self._in_thread(question)

    async def reload(
        self, fits: Callable[[ServeOptions], None], take: Callable[[ServeOptions], None]
    ) -> Reloaded:
        """Read everything anew, and return what has come of it.

        Args:
            fits: raises UsageError if the system does not allow what these options ask for.
            take: makes them those of the node; it must not fail.
        """
        async with self._lock:
            return await self._reload(self.source.read, fits, take)

    async def look(
        self, fits: Callable[[ServeOptions], None], take: Callable[[ServeOptions], None]
    ) -> Reloaded | None:
        """Read the files anew, if one has changed, and return what has come of it; None if none has."""
        async with self._lock:
            if await self._in_thread(partial(self._look, self.given)) == self._seen:
                return None
            return await self._reload(lambda: self.given, fits, take)

    async def _reload(
        self,
        read: Callable[[], Given],
        fits: Callable[[ServeOptions], None],
        take: Callable[[ServeOptions], None],
    ) -> Reloaded:
        before, taken_before = self.given, self._taken
        try:
            given = await self._in_thread(read)
            # Before they are read: should one be changed meanwhile, the next look finds it changed.
            self._seen = await self._in_thread(partial(self._look, given))
            _refuse(before, given)
            options = await self._in_thread(partial(self.source.check, self.options, given))
            fits(options)
        except UsageError as error:
            return self._refused(str(error))
        except _RefusedError as error:
            return self._refused(*error.args)
        take(options)
        self.options, self.given, self._taken = options, given, self._seen
        self.refused, self.at = [], time.time()
        changed = {name for name in given if given[name] != before[name]}
        changed |= {name for name in FILES if self._taken.get(name) != taken_before.get(name)}
        return Reloaded(sorted(changed))

    def _refused(self, *why: str) -> Reloaded:
        self.refused = list(why)
        return Reloaded(refused=self.refused)

    @staticmethod
    def _look(given: Mapping[str, object]) -> dict[str, _Look | None]:
        """Look at the files that are named there, not at what is in them; None is for one that is not there."""
        return {name: _look_at(str(given[name])) for name in FILES if given.get(name)}


def _look_at(path: str) -> _Look | None:
    try:
        status = Path(path).stat()  # of what a link leads to, for links are swapped
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size, status.st_mode


def _refuse(before: Mapping[str, object], given: Mapping[str, object]) -> None:
    """Refuse what has changed and needs a restart.

    Raises:
        _RefusedError: something has.
    """
    differing = [name for name in given if given[name] != before[name]]
    why = [f"{name} {needed}" for name in differing if (needed := needs(name, before, given))]
    if why:
        raise _RefusedError(*why)
