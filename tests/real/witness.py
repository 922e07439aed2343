"""Does the machine itself stand still? Who fails meanwhile has not been tested.

A virtual machine that its host stops for 0.3 s stops every process in it. Nodes then say,
rightly, that they were stopped, and close their clients' connections; a test that counts failed requests fails,
and says nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final, Self

#: Comes before all others on one CPU, for a bounded time.
_HOG: Final = """
import os, time
os.sched_setaffinity(0, {{{cpu}}})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    pass
"""


def standing_still(seconds: float) -> None:
    """Give no other program any CPU for this time, under 0.9 s; only root may."""
    hogs = [
        subprocess.Popen([sys.executable, "-c", _HOG.format(cpu=cpu, seconds=seconds)])
        for cpu in sorted(os.sched_getaffinity(0))
    ]
    for hog in hogs:
        assert hog.wait(60) == 0


#: Tells each time at which a CPU was not to be had for so long, in ms. Sleeps; costs nothing.
_WATCH: Final = """
import os, time
os.sched_setaffinity(0, {{{cpu}}})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
print("watches", flush=True)
last = time.monotonic()
end = last + {seconds}
while last < end and os.getppid() == {parent}:
    time.sleep(0.01)
    now = time.monotonic()
    if now - last > {longest_s}:
        print(f"CPU {cpu} stood still for {{(now - last) * 1000:.0f}} ms", flush=True)
    last = now
"""


class Witness:
    """Looks on each CPU whether the machine itself stands still, as a virtual one may.

    It comes before every other program that wants the CPU (SCHED_FIFO), so what it does not get no program was
    kept from by its neighbours. Only root may ask for that; for others it sees nothing.
    """

    def __init__(self, longest_s: float = 0.1, seconds: float = 3_600) -> None:
        self._longest_s = longest_s
        self._seconds = seconds
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            for cpu in sorted(os.sched_getaffinity(0)):
                script = _WATCH.format(
                    cpu=cpu, seconds=self._seconds, longest_s=self._longest_s, parent=os.getpid()
                )
                program = subprocess.Popen(
                    [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
                )
                self._programs.append(program)
                assert program.stdout is not None
                assert program.stdout.readline() == b"watches\n"
                os.set_blocking(program.stdout.fileno(), False)
        return self

    def __exit__(self, *_: object) -> None:
        self.over()

    def seen(self) -> list[str]:
        """A line for each time that a CPU stood still since this was asked last."""
        lines: list[str] = []
        for program in self._programs:
            assert program.stdout is not None
            lines += (program.stdout.read() or b"").decode().splitlines()
        return lines

    def over(self) -> None:
        """End looking."""
        for program in self._programs:
            program.terminate()
            program.wait()
            if program.stdout is not None:
                program.stdout.close()
        self._programs.clear()
