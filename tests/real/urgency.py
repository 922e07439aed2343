"""Nodes as urgent as the unit makes them, so that a neighbour's test keeps none from the CPU.

A node that is kept from it for longer than its lease takes itself for stopped, and serves nobody for a moment:
right, and not what the test that meets it is about.
"""

import os
import re
from collections.abc import Sequence
from typing import Final

from tests.real.processes import CHECKOUT

#: Takes a Nice and a command. Where the kernel shares the CPU among terminals' sessions first (autogroup), a
#: Nice counts only inside of one; systemd's services have their CPUWeight instead. So that takes it, too.
#: nice(1) adds to the Nice that it is run with, which whoever runs the tests may have raised.
_URGENTLY: Final = """\
[ ! -e /proc/self/autogroup ] || echo "$1" >/proc/self/autogroup
more="$(($1 - $(nice)))"
shift
exec nice -n "$more" "$@"
"""


def unit_nice() -> str:
    """The Nice of the unit that comes with memrep."""
    unit = (CHECKOUT / "deploy" / "memrep.service").read_text()
    found = re.search(r"^Nice=(-?\d+)$", unit, re.MULTILINE)
    assert found is not None
    return found[1]


def as_the_unit_runs(argv: Sequence[str]) -> list[str]:
    """The command that runs a node as urgent as the unit makes it, which only root may."""
    return ["sh", "-c", _URGENTLY, "sh", unit_nice(), *argv] if os.geteuid() == 0 else list(argv)
