"""Calls: whose SYN has arrived, though this machine cannot answer it yet.

Problem: when a cable is plugged in again the others' packets arrive at once, but this machine has forgotten
their hardware addresses, and its kernel asks for them only once a second (arp(7)). For so long nobody can
finish a handshake with it. A node that may have been left behind would take that for the others' silence
(host_gate.py).

The kernel shows connections whose SYN has come and whose handshake is not done (proc(5), /proc/net/tcp, state
SYN_RECV). A node that calls is alive, and within reach in one direction at least.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from memrep.daemon.files import read_file

_TABLES: Final = {socket.AF_INET: Path("/proc/net/tcp"), socket.AF_INET6: Path("/proc/net/tcp6")}
_SYN_RECV: Final = " 03 "


def callers(port: int) -> set[str]:
    """Return the hosts whose call at this port waits for its handshake to end; none if that cannot be told."""
    found: set[str] = set()
    for family, table in _TABLES.items():
        with suppress(OSError, ValueError):
            found.update(_half_open(family, read_file(table).decode(), port))
    return found


def _half_open(family: socket.AddressFamily, table: str, port: int) -> Iterator[str]:
    """Yield the remote hosts of a table's half-open connections; addresses are hexadecimal, word by word."""
    for line in table.splitlines():
        if _SYN_RECV not in line:
            continue
        _, local, remote, state = line.split()[:4]
        if state == _SYN_RECV.strip() and int(local.rpartition(":")[2], 16) == port:
            words = remote.partition(":")[0]
            packed = b"".join(
                int(words[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(words), 8)
            )
            yield socket.inet_ntop(family, packed)
