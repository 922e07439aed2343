"""On what, with what and how loudly was it measured: what stands above every table."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]


class Watch:
    """The machine during a run, which begins now."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._load = os.getloadavg()[0]
        self._stolen_s = _stolen_s()

    @property
    def passed_s(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._began

    def facts(self) -> dict[str, str]:
        """The machine, its programs, and who else used it."""
        stolen = (_stolen_s() - self._stolen_s) / self.passed_s / (os.cpu_count() or 1)
        loads = f"load average {self._load:.1f} before and {os.getloadavg()[0]:.1f} after"
        return {
            "machine": f"{_cpu()}, {os.cpu_count()} CPUs, Linux {platform.release()}",
            "noise": f"{loads}, {stolen:.1%} of CPU time stolen",
            "memrep": _version("git", "-C", str(_ROOT), "describe", "--always", "--dirty"),
            "Python": _python(),
            "memcached": _version("memcached", "--version"),
            "Redis": _version("redis-server", "--version"),
        }


def listed(facts: dict[str, str]) -> str:
    """Facts as a list in Markdown."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _stolen_s() -> float:
    """Seconds for which a hypervisor gave our CPUs to others."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())


def _python() -> str:
    """Its version, and how it was built, which weighs more; Debian does not tell of its PGO."""
    if sys.base_prefix == "/usr":
        return f"{platform.python_version()}, the distribution's"
    built = sysconfig.get_config_var("CONFIG_ARGS") or ""
    with_or_without = "with" if "--enable-optimizations" in built else "without"
    return f"{platform.python_version()}, built {with_or_without} PGO"


def _version(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
