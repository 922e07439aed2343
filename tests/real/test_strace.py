"""System calls that fail, one kind after the other (tests/oserrors): no node dies of them, freezes or lies.

Here a few cases stand for all. The whole matrix is slow by nature: `make oserrors` shows it, too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.oserrors.__main__ import play, report
from tests.oserrors.matrix import ALWAYS, SELDOM, Case, play_start, run, start_cases
from tests.oserrors.table import ERRORS, NO_MEMORY

from .processes import find_program, missing

pytestmark = pytest.mark.real

#: One of each kind of guard: a door, a client, a link, the epoll, the log, trio's own, memory.
A_FEW: Final = [
    Case("accept4", "EMFILE", ALWAYS),
    Case("epoll_ctl", "ENOSPC", ALWAYS),
    Case("sendto", "ENOBUFS", SELDOM),
    Case("listen", "ENOMEM", ALWAYS),
    Case("recvfrom", "ENOMEM", ALWAYS, alone=True),
    Case("socket", "EMFILE", ALWAYS, alone=True),
    Case("write", "ENOSPC", ALWAYS, alone=True),
    Case(NO_MEMORY, "ENOMEM", ALWAYS, alone=True),
]


@pytest.fixture(autouse=True)
def strace() -> None:
    program = find_program("strace")
    try:
        subprocess.run([program, "-e", "trace=none", "true"], capture_output=True, check=True, timeout=30)
    except subprocess.CalledProcessError:
        missing("the right to use strace")


def test_calls_that_fail_for_a_moment_end_no_node_and_change_no_answer(tmp_path: Path) -> None:
    outcomes = list(run(A_FEW, tmp_path))
    assert [outcome.case for outcome in outcomes if outcome.injected] == A_FEW
    assert [f"{outcome.case}: {outcome.wrong}" for outcome in outcomes if outcome.wrong] == []


def test_a_call_that_fails_at_the_start_ends_it_with_what_to_do(tmp_path: Path) -> None:
    cases = {case.call: case for case in reversed(start_cases(tmp_path)) if case.error == ERRORS[case.call][0]}
    for call in ("bind", "epoll_create1", "clone3"):
        if call in cases:  # which clone there is depends on the C library
            outcome = play_start(cases[call], tmp_path)
            assert outcome.injected, outcome.case
            assert not outcome.wrong, f"{outcome.case}: {outcome.wrong}"


@pytest.mark.long
@pytest.mark.alone
def test_every_system_call_may_fail_with_every_error_it_can_have(tmp_path: Path) -> None:
    outcomes = play(tmp_path, (), jobs=3, part="all")
    report(outcomes)
    assert [f"{outcome.case}: {outcome.wrong}" for outcome in outcomes if outcome.wrong] == []
