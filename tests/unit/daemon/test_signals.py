"""Signals, in a process of their own: what asks for nothing ends no node, what is meant keeps its meaning."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Final

import pytest

#: Hears; sends itself these signals, one after the other; tells what it has heard.
CHILD: Final = """
import os, resource, signal, sys
from memrep.daemon.signals import hear
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell ignores it for what runs in the background
heard = hear()
for number in map(int, sys.argv[1:]):
    os.kill(os.getpid(), number)
print(*heard)
"""


def _hears(*numbers: int) -> tuple[int, list[int]]:
    """The exit status of a process that is sent these signals, and what it has heard."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, numbers)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert not done.stderr
    return done.returncode, [int(word) for word in done.stdout.split()]


def test_those_that_mean_something_are_heard_in_the_order_in_which_they_came() -> None:
    numbers = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT, signal.SIGTERM]
    assert _hears(*numbers) == (0, numbers)


def test_all_that_would_end_or_stop_a_node_for_nothing_are_ignored() -> None:
    """A closed terminal, a limit of CPU time, a write from the background, whatever a script may send."""
    numbers = [
        signal.SIGPIPE,
        signal.SIGALRM,
        signal.SIGVTALRM,
        signal.SIGPROF,
        signal.SIGXCPU,
        signal.SIGXFSZ,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGIO,
        signal.SIGPWR,
        *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
    ]
    assert _hears(*numbers) == (0, [])


@pytest.mark.parametrize(
    "number", [signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE]
)
def test_those_that_a_person_or_the_kernel_sends_on_purpose_still_end_it(number: int) -> None:
    assert _hears(number) == (-number, [])


def test_of_very_many_the_latest_are_kept() -> None:
    code, heard = _hears(*[signal.SIGHUP] * 100, signal.SIGTERM, signal.SIGINT)
    assert code == 0
    assert len(heard) < 100
    assert heard[-2:] == [signal.SIGTERM, signal.SIGINT]
