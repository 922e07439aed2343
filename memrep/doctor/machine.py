"""The machine: what it lets a process have, and whether its clock can be believed and be read cheaply.

A node of a running cluster corrects for clocks that differ. An expiry time that a client gives as a date is
another matter: it is that of the machine on which it arrives. So a clock that nobody keeps is worth a warning.
"""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import Final

from memrep.daemon.cgroup import Memory
from memrep.daemon.files import read_file
from memrep.daemon.place import SPARE_DESCRIPTORS
from memrep.doctor.finding import Finding
from memrep.errors import UsageError

_CLOCK_SOURCE: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")

#: Clock sources that a process can read only by a system call (vdso(7)), a microsecond or more each time.
_SLOW_SOURCES: Final = frozenset(["hpet", "acpi_pm", "jiffies", "refined-jiffies", "xen"])

#: adjtimex(2): what it returns of a clock that is not synchronized. Its struct has 208 bytes on 64 bits.
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512

_MB: Final = 1 << 20


def descriptors(connections: int) -> Finding:
    """Tell whether so many clients can have a descriptor each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_DESCRIPTORS
    if hard in (resource.RLIM_INFINITY, -1) or needed <= hard:
        allowed = "any number" if hard in (resource.RLIM_INFINITY, -1) else f"{hard:,}"
        return Finding(
            "descriptors", "ok", f"{needed:,} are needed for {connections:,} clients, {allowed} allowed"
        )
    return Finding(
        "descriptors",
        "wrong",
        f"{needed:,} are needed for {connections:,} clients, and the system allows {hard:,}",
        "raise LimitNOFILE= (systemd) or `ulimit -n`, or lower `connections`",
    )


def memory(amount: int, connections: int) -> Finding:
    """Tell whether so much for items (bytes) and so many clients fit into what the kernel grants.

    It is this process that is looked at: a service may have a limit of its own.
    """
    looked = Memory()
    try:
        looked.check(amount, connections)
        found = looked.look()
    except UsageError as error:
        text, _, advice = str(error).partition("; raise ")
        return Finding("memory", "wrong", text, f"raise {advice}" if advice else "")
    finally:
        looked.close()
    limit = found[1] if found else 0
    granted = f"{limit // _MB:,} MB in all" if limit else "no limit here; a service has its own (MemoryMax=)"
    return Finding("memory", "ok", f"{amount // _MB:,} MB for items, and the kernel grants {granted}")


def clock(source: Path = _CLOCK_SOURCE) -> list[Finding]:
    """Tell whether somebody keeps this machine's clock, and what it costs to look at it."""
    found = [_kept()]
    try:
        name = read_file(source).decode(errors="replace").strip()
    except OSError:
        return found
    if name in _SLOW_SOURCES:
        found.append(
            Finding(
                "clock",
                "warning",
                f"the kernel reads {name}, which makes each look at the clock a system call",
                "see whether the machine offers tsc or kvm-clock (available_clocksource), and name that to the "
                "kernel (clocksource=)",
            )
        )
    return found


def _kept() -> Finding:
    """Ask the kernel whether its clock is disciplined by anybody: chrony, ntpd and timesyncd tell it."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state < 0:
        return Finding(
            "clock", "note", f"the kernel does not tell who keeps it: {os.strerror(ctypes.get_errno())}"
        )
    if state == _TIME_ERROR:
        return Finding(
            "clock",
            "warning",
            "nobody keeps it, for all that the kernel knows; an expiry time that a client gives as a date goes "
            "wrong with it",
            "run chrony or systemd-timesyncd on every server",
        )
    return Finding("clock", "ok", "it is kept by NTP")
