"""What an entry really costs: resident memory of a store, entry by entry, beside what the store counts.

`python -m bench.memory`. The limit (-m) is only worth something if `used` follows the resident memory of the
process; ENTRY_BYTES in memrep/storage/store.py is the figure that this prints for the cost beside key and
value.
"""

from __future__ import annotations

import gc
from pathlib import Path

import click

from memrep.storage.entry import Entry
from memrep.storage.store import ENTRY_BYTES, Store
from memrep.storage.version import Clock

_PAGE = 4096
_SPREAD_MS = 1_440_000


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


@click.command()
@click.option("--entries", default=500_000, show_default=True)
@click.option("--size", default=500, show_default=True, help="Bytes of a value.")
@click.option("--rewrites", default=1, show_default=True, help="How often each is written again.")
def main(entries: int, size: int, rewrites: int) -> None:
    """Fill a store and compare what it counts with what the process uses."""
    store = Store(1 << 60)
    clock = Clock(1, now=1_000, wall=1_790_000_000_000)
    before = _resident()
    for turn in range(1 + rewrites):
        for i in range(entries):
            clock.turn(1_000 + turn, 1_790_000_000_000 + i // 100)
            value = b"%d" % i + bytes(size - len(str(i)))
            expires = 10_000 + i * _SPREAD_MS // entries + turn
            store.put(b"memc.sess.key.%026d" % i, Entry(clock.stamp(1), value, 0, expires), clock.now)
    resident = _resident() - before
    key = len(b"memc.sess.key.") + 26
    click.echo(f"{entries} entries with keys of {key} and values of {size} bytes, written {1 + rewrites} times")
    click.echo(f"resident {resident / entries:.0f} bytes an entry, counted {store.used / entries:.0f}")
    click.echo(
        f"beside key and value: {resident / entries - key - size:.0f} bytes; ENTRY_BYTES is {ENTRY_BYTES}"
    )


if __name__ == "__main__":
    main()
