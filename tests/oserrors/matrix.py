"""What is done on the stage: each call, each of its errors, seldom and always, with the peer and without.

A case is one error of one call for a moment. While it lasts two clients go on, and the node lives through what
makes it use all its calls: it is stopped for a moment, which shuts and opens its door; it gets a signal;
without its peer it dials. Afterwards it must be alive, answer rightly what was acknowledged, know its peer
again, and have said little: a few lines, and no traceback.

At the start a case is one error at one place between the loading of the last module and the serving.
There it may end, but with exit status 2 or 4 and one line that says what to do, or it must serve.
"""

from __future__ import annotations

import re
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.oserrors.load import under
from tests.oserrors.stage import Process, Stage, Strace, calls_of, wait_while
from tests.oserrors.table import ERRORS, LEFT_OUT, NO_MEMORY
from tests.real.processes import NODE_LINK_OFFSET, PortLease, accepts, find_program

#: How strace is told to let a call fail: the first and each seventh afterwards, or every one.
SELDOM: Final = "1+7"
ALWAYS: Final = "1+"

_MOMENT_S: Final = 0.5
_STOP_S: Final = 0.3
_START_S: Final = 20.0

#: How many lines a case may cost the log, besides those of clients that come and go (-v).
_LINES_MAX: Final = 60

#: A module of memrep's that is loaded: all that comes behind the last one is done by memrep.
_MODULE: Final = re.compile(r'"[^"]*/memrep/[^"]*\.pyc?"[^\n]*\n')


@attrs.frozen
class Case:
    """One error of one call.

    Attributes:
        call: its name.
        error: its name.
        when: which of the calls fail, for strace.
        alone: whether the peer is gone meanwhile.
        start: whether it happens at the start.
    """

    call: str
    error: str
    when: str
    alone: bool = False
    start: bool = False

    def __str__(self) -> str:
        """For people."""
        where = "at the start" if self.start else "alone" if self.alone else "with its peer"
        return f"{self.call} {self.error} when={self.when} {where}"

    @property
    def inject(self) -> str:
        """What becomes of them, for strace."""
        return f"error={self.error}:when={self.when}"


@attrs.frozen
class Outcome:
    """What came of a case.

    Attributes:
        case: which.
        injected: how many calls failed.
        said: how many lines the node said.
        wrong: what was wrong; "" if nothing.
    """

    case: Case
    injected: int
    said: int
    wrong: str


def cases_of(seen: Sequence[str]) -> list[Case]:
    """Every case of these calls in a running node; those with the peer first."""
    calls = [call for call in ERRORS if call in seen or call == NO_MEMORY]
    return [
        Case(call, error, when, alone)
        for alone in (False, True)
        for call in calls
        for error in ERRORS[call]
        for when in (SELDOM, ALWAYS)
    ]


def unknown(seen: Sequence[str]) -> list[str]:
    """Calls of which the table does not say what errors they have, or why they never fail."""
    return sorted(set(seen) - LEFT_OUT.keys() - ERRORS.keys())


def see_all(folder: Path) -> list[str]:
    """The system calls of a node that serves, loses its peer, finds it again, is stopped, and ends."""
    with Stage(folder) as stage:
        strace = Strace(stage.node, [], "", folder / "trace")
        with under(stage.loads):
            time.sleep(_MOMENT_S)
            stage.node.stop_for(_STOP_S + 0.1)
            stage.node.signal(signal.SIGHUP)
            stage.leave_alone()
            time.sleep(2 * _MOMENT_S)
            stage.bring_peer()
            time.sleep(2 * _MOMENT_S)
        assert not stage.wrong()
        stage.node.signal(signal.SIGTERM)
        stage.node.process.wait(10)
        return sorted(calls_of(strace.detach()))


def run(cases: Sequence[Case], folder: Path) -> Iterator[Outcome]:
    """Play these cases on one stage after another, as long as they last."""
    with Stage(folder) as stage:
        for case in cases:
            if case.alone:
                stage.leave_alone()
            else:
                stage.bring_peer()
            if stage.wrong():
                stage.begin()
            outcome = _play(case, stage, folder)
            if outcome.wrong:
                stage.begin()
            yield outcome


def _play(case: Case, stage: Stage, folder: Path) -> Outcome:
    node = stage.node
    said = len(node.text())
    with _failing(case, node, folder) as injected, under(stage.loads):
        if case.alone:
            stage.leave_alone()
        node.stop_for(_STOP_S)
        node.signal(signal.SIGHUP)
        wait_while(lambda: node.status is None, _MOMENT_S)
    wrong = stage.wrong()
    news = node.text()[said:]
    lines = [line for line in news.splitlines() if not re.search(r" client \d+: ", line)]
    if not wrong and "Traceback" in news:
        wrong = f"a traceback: {news[-2000:]}"
    if not wrong and len(lines) > _LINES_MAX:
        wrong = f"{len(lines)} lines in the log: {news[:2000]}"
    return Outcome(case, sum(injected), len(lines), wrong)


@contextmanager
def _failing(case: Case, node: Process, folder: Path) -> Iterator[list[int]]:
    """Let calls fail as long as this lasts; then the list holds how many have."""
    injected: list[int] = []
    if case.call == NO_MEMORY:
        with node.without_memory():
            yield injected
        injected.append(1)  # at least, or the kernel was kind
        return
    strace = Strace(node, [case.call], case.inject, folder / f"trace.{node.port}")
    try:
        yield injected
    finally:
        injected.append(strace.detach().count("(INJECTED)"))


# --- the start


def start_cases(folder: Path) -> list[Case]:
    """Every call of a node's start, each of its errors at the first place, one of them at each other place."""
    with _Start(folder, []) as start:
        start.wait()
        text = start.trace()
    *_, last = _MODULE.finditer(text)
    before, within = calls_of(text[: last.end()]), calls_of(text[last.end() :])
    found = []
    for call in ERRORS:
        if within[call]:
            places = range(before[call] + 1, before[call] + within[call] + 1)
            found += [Case(call, error, str(places[0]), start=True) for error in ERRORS[call]]
            chosen = places[1 :: max(1, len(places) // _PLACES_MAX)]
            found += [Case(call, ERRORS[call][-1], str(place), start=True) for place in chosen]
            found += [Case(call, ERRORS[call][-1], f"{places[0]}+", start=True)]
    return found


_PLACES_MAX: Final = 4


def play_start(case: Case, folder: Path) -> Outcome:
    """Start a node, and let this go wrong."""
    with _Start(folder, [f"--trace={case.call}", f"--inject={case.call}:{case.inject}"]) as start:
        start.wait()
        injected = start.trace().count("(INJECTED)")
        said = start.node.text()
        if start.node.status is None:
            wrong = "" if start.served else f"it neither serves nor ends: {said[-1500:]}"
        else:
            lines = [line for line in said.splitlines() if line.startswith("memrep: ")]
            ended_well = (
                start.node.status in (2, 4) and len(lines) == 1 and ("; " in lines[0] or "--" in lines[0])
            )
            wrong = "" if ended_well else f"exit status {start.node.status}: {said[-1500:]}"
        if "Traceback" in said:
            wrong = f"a traceback: {said[-1500:]}"
    return Outcome(case, injected, len(said.splitlines()), wrong)


class _Start:
    """A lone node that starts under strace.

    Attributes:
        served: whether it has taken a client.
    """

    def __init__(self, folder: Path, what: Sequence[str]) -> None:
        self._lease = PortLease(2, offsets=(0, NODE_LINK_OFFSET))
        self._port = self._lease.ports[0]
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._output = self._folder / "trace"
        self.served = False
        under_strace = [find_program("strace"), "-f", "--seccomp-bpf", "-o", str(self._output), *what]
        self.node = Process(self._port, self._lease.ports, self._folder, under=under_strace)

    def __enter__(self) -> _Start:
        return self

    def __exit__(self, *_: object) -> None:
        self.node.kill()
        self._lease.close()

    def wait(self) -> None:
        """Return when it has taken a client or has ended, or time is up."""

        def goes_on() -> bool:
            self.served = self.served or accepts(self._port)
            return self.node.status is None and not self.served

        wait_while(goes_on, _START_S)

    def trace(self) -> str:
        """What strace has written."""
        return self._output.read_text(errors="replace")
