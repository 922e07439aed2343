"""What an entry costs beside its key and value: the growth of a whole process while it is filled.

bench/memory.py asks the same of a store alone, which is what ENTRY_BYTES is set by.
"""

from __future__ import annotations

from typing import Final

from bench.costs import resident
from bench.filling import BATCH, KEY_BYTES, VALUE_BYTES, fill
from bench.peers import ALONE, Start
from bench.rounds import Figures, Scale, Shapes, measured

TITLE: Final = "Memory of an entry"
NOTE: Final = (
    f"Growth of resident memory, all of the process counted, with keys of {KEY_BYTES} and values of "
    f"{VALUE_BYTES} bytes that expire, less key and value: when each was written once, and when each was "
    "written again, as sessions are. memcached rounds sizes up to those of its slabs, so its figure depends "
    "on the size."
)
EXPECTED_S: Final = {True: 20, False: 170}

_ENTRIES: Final = {True: 50_000, False: 500_000}
#: The figure hardly differs between rounds.
_ROUNDS_MAX: Final = 2


def measure(scale: Scale) -> Shapes:
    """Fill each of them, and once more."""
    entries = _ENTRIES[scale.quick]

    def turn(start: Start) -> dict[str, Figures]:
        with start(entries * 2_000 >> 20) as servers:
            fill(servers, BATCH)
            before = resident(servers.pids)

            def beside() -> Figures:
                grown = resident(servers.pids) - before
                return {"bytes": grown / (entries - BATCH) - KEY_BYTES - VALUE_BYTES}

            fill(servers, entries, begin=BATCH)
            once = beside()
            fill(servers, entries, begin=BATCH)
            return {f"{entries} entries, fresh": once, f"{entries} entries, written again": beside()}

    return measured(ALONE, min(scale.rounds, _ROUNDS_MAX), turn)
