"""A load in a process of its own, from its beginning to what came of it."""

from __future__ import annotations

import json
import subprocess
import sys

import attrs

from bench.load import Load, Outcome
from bench.peers import Servers


def loading(servers: Servers, load: Load) -> subprocess.Popen[bytes]:
    """A process that loads these servers, once it does; `outcome` takes what it tells.

    From then on a SIGTERM ends it, and what came until then is told.
    """
    command = [sys.executable, "-m", "bench.load", *map(str, servers.ports), "--protocol", servers.protocol]
    command += ["--replicas", str(servers.replicas), "--pids", ",".join(map(str, servers.pids))]
    for name, value in attrs.asdict(load).items():
        command += [f"--{name}", str(value)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # empty if it has failed, of which its status tells `outcome`
    return process


def outcome(process: subprocess.Popen[bytes]) -> Outcome:
    """What came of a load, once it is done."""
    told, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load ended with status {process.returncode}")
    return Outcome(**json.loads(told))


def measure(servers: Servers, load: Load) -> Outcome:
    """Load these servers from a process of its own."""
    return outcome(loading(servers, load))
