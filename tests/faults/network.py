"""Each node in a network namespace of its own, on a bridge, so that cables can be pulled.

The whole runner moves into namespaces first (`enter`): bridge, links, firewalls and processes are invisible
from outside and gone when the runner ends, however it ends. The clients live there, beside the bridge; each
node has a further namespace behind a cable of its own. Not every machine allows this; `forbidden` tells.

A cut is made where packets arrive: what is dropped in the namespace of `j` because it comes from `i` is a cut
in one direction. A pulled cable is the bridge's end of it going down, which the node sees as a carrier that is
gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final, NoReturn

from tests.faults.nodes import Nodes
from tests.real.processes import Child, until

_PORT: Final = 11211
_REDIS_PORT: Final = 6379
_INSIDE: Final = "MEMREP_TEST_FAULTS_INSIDE"
_PROBE: Final = (
    "ip link set lo up && ip link add name probe type bridge && "
    "ip link add name probe0 type veth peer name probe1 && nft add table inet probe && unshare --net true"
)
_TABLE: Final = """
table inet cut {
  chain input { type filter hook input priority 0; policy accept; }
  chain output { type filter hook output priority 0; policy accept; }
}
"""
_serial: Final = count()


def namespaces() -> list[str]:
    """The beginning of a command that runs in namespaces of its own."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


def forbidden() -> str | None:
    """Why this machine does not let us make namespaces; None if it does."""
    if _INSIDE in os.environ:
        return None
    try:
        done = subprocess.run(
            [*namespaces(), "sh", "-c", _PROBE], env=with_sbin(), capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    complaint = done.stderr.decode(errors="replace").strip().splitlines()
    return None if done.returncode == 0 else (complaint or [f"exit status {done.returncode}"])[-1]


def inside() -> bool:
    """Whether this process lives in namespaces of its own."""
    return _INSIDE in os.environ


def run_inside(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run a command in new namespaces, to its end."""
    env = with_sbin() | {_INSIDE: "1"}
    script = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    return subprocess.run(
        [*namespaces(), *script, *command],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def enter(arguments: Sequence[str], module: str = "tests.faults") -> None:
    """Become the same command inside new namespaces, unless we are there already."""
    if _INSIDE not in os.environ:
        command = [*namespaces(), sys.executable, "-m", module, *arguments]
        _become(command, with_sbin() | {_INSIDE: "1"})
    ip("link", "set", "lo", "up")


def _become(command: list[str], env: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    os.execvpe(command[0], command, env)


class Networked(Nodes):
    """Nodes that have each a machine's network to themselves."""

    def __init__(self, count: int, directory: Path, options: Sequence[str] = ()) -> None:
        super().__init__(count, directory, options)
        self._net = next(_serial)
        self.bridge = f"br{self._net}"
        self._gateway = f"10.77.{self._net}.1"

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        ip("link", "delete", self.bridge)

    def find_addresses(self) -> list[tuple[str, int]]:
        """Build the network; then as on loopback."""
        assert _INSIDE in os.environ, "this would change the machine's own network"
        ip("link", "add", "name", self.bridge, "type", "bridge")
        ip("address", "add", f"{self._gateway}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for i in range(self.count):
            self._plug_in(i)
        self.redis_ports = [_REDIS_PORT] * self.count
        return [(self._host(i), _PORT) for i in range(self.count)]

    def argv(self, i: int) -> list[str]:
        """The command that runs node i, in its namespace."""
        return [*self.within(i), *super().argv(i)]

    def block(self, sender: int, receiver: int) -> None:
        """Drop what this node sends to that one; the other direction stays."""
        self.filter(receiver, f"add rule inet cut input ip saddr {self._host(sender)} drop")

    def block_clients(self, node: int) -> None:
        """Drop what clients send to this node."""
        self.filter(node, f"add rule inet cut input ip saddr {self._gateway} drop")

    def reset(self, sender: int, receiver: int) -> None:
        """Answer what this node sends to that one with a TCP reset."""
        rule = f"add rule inet cut input ip saddr {self._host(sender)} meta l4proto tcp reject with tcp reset"
        self.filter(receiver, rule)

    def isolate(self, i: int) -> None:
        """Drop all packets from and to this node."""
        self.filter(i, 'add rule inet cut input iifname "eth0" drop')
        self.filter(i, 'add rule inet cut output oifname "eth0" drop')

    def unplug(self, i: int) -> None:
        """Pull this node's cable."""
        ip("link", "set", self._cable(i), "down")

    def heal(self) -> None:
        """All packets pass again."""
        for i in range(self.count):
            self.filter(i, "flush chain inet cut input; flush chain inet cut output")
            ip("link", "set", self._cable(i), "up")

    def _plug_in(self, i: int) -> None:
        holder = self.add(Child(f"network{i}", ["unshare", "--net", "sleep", "infinity"], self.directory))
        own, its = Path("/proc/self/ns/net"), Path(f"/proc/{holder.process.pid}/ns/net")
        until(lambda: its.exists() and own.readlink() != its.readlink(), 5, f"node {i} has a namespace")
        pid = str(holder.process.pid)
        ip("link", "add", "name", self._cable(i), "type", "veth", "peer", "name", "eth0", "netns", pid)
        ip("link", "set", self._cable(i), "master", self.bridge, "up")
        for command in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "address", "add", f"{self._host(i)}/24", "dev", "eth0"],
            ["ip", "link", "set", "eth0", "up"],
        ):
            _run([*self.within(i), *command])
        self.filter(i, _TABLE)

    def filter(self, i: int, rules: str) -> None:
        """Give these rules to the firewall of node i."""
        _run([*self.within(i), "nft", "-f", "-"], rules)

    def within(self, i: int) -> list[str]:
        """What runs a command in the network of node i."""
        return ["nsenter", f"--net=/proc/{self.children[f'network{i}'].process.pid}/ns/net", "--"]

    def _host(self, i: int) -> str:
        return f"10.77.{self._net}.{i + 11}"

    def _cable(self, i: int) -> str:
        return f"cable{self._net}.{i}"


def with_sbin() -> dict[str, str]:
    """The environment, with the administrator's programs in its PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return {**os.environ, "PATH": path}


def ip(*arguments: str) -> None:
    """Run ip(8) where the clients live."""
    _run(["ip", *arguments])


def _run(command: list[str], text: str = "") -> None:
    subprocess.run(command, input=text.encode(), check=True, timeout=20)
