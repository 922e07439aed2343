"""Nodes that know each other by names: `python -m tests.faults.named CASE`, one story in namespaces of its own.

Each node has a network of its own (network.py) and an /etc/hosts of its own, which nobody else sees. The exit
status is 0 if the story ends well; else the failure and the nodes' logs tell what was wrong. One of the stories
has no names, but a firewall between two nodes that lets the calls of one of them through and not the other's.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.faults.network import Networked, enter, ip
from tests.real.processes import Child, pause, until

_PORT: Final = 11211
_LINK_PORT: Final = 21211
_OPTIONS: Final = ("--cold-start", "3")

#: Nobody is there; or, in one story, somebody who never answers: that takes the resolver's whole patience.
_RESOLVER: Final = "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"
_BLACK_HOLE: Final = (
    "import signal, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
    "s.bind(('127.0.0.1', 53)); print('bound', flush=True); signal.pause()"
)


class Named(Networked):
    """Nodes web1, web2 and so on, each with an address of either family.

    Args:
        count: how many.
        directory: where logs and hosts files go.
        options: more options for `memrep serve`.

    Attributes:
        more: options for single nodes.
        network_of: nodes that live in another one's network.
        listed: the list of nodes that all are given.
    """

    def __init__(self, count: int, directory: Path, options: Sequence[str] = _OPTIONS) -> None:
        super().__init__(count, directory, options)
        self.more: dict[int, list[str]] = {}
        self.network_of: dict[int, int] = {}
        self.listed = [f"web{i + 1}:{_PORT}" for i in range(count)]

    def find_addresses(self) -> list[tuple[str, int]]:
        """As ever, and IPv6 beside it; every node knows all names with both addresses, IPv6 first."""
        found = super().find_addresses()
        ip("-6", "address", "add", "fd77::1/64", "dev", self.bridge, "nodad")
        for i in range(self.count):
            self.run(i, "ip", "-6", "address", "add", f"{self.v6(i)}/64", "dev", "eth0", "nodad")
            self.write_hosts(i, {f"web{n + 1}": [self.v6(n), self.v4(n)] for n in range(self.count)})
            self._file(i, "resolv.conf").write_text(_RESOLVER)
        return found

    def v4(self, i: int) -> str:
        """The IPv4 address of node i."""
        return self._host(i)

    def v6(self, i: int) -> str:
        """Its IPv6 address."""
        return f"fd77::{i + 11}"

    def write_hosts(self, i: int, names: dict[str, list[str]]) -> None:
        """What names stand for on node i from now on."""
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        lines += [f"{address} {name}" for name, addresses in names.items() for address in addresses]
        self._file(i, "hosts").write_text("\n".join(lines) + "\n")

    def run(self, i: int, *command: str) -> None:
        """Run a command in the network of node i."""
        subprocess.run([*self.within(i), *command], check=True, timeout=20)

    def argv(self, i: int) -> list[str]:
        """The command that runs node i: in its network, with its own idea of names."""
        return [
            *self.within(self.network_of.get(i, i)), "unshare", "--mount", "sh", "-c",
            'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"', "sh",
            str(self._file(i, "hosts")), str(self._file(i, "resolv.conf")),
            sys.executable, "-m", "memrep", "serve", "--nodes", ",".join(self.listed), "--self", self.listed[i],
            *self.options, *self.more.get(i, []),
        ]  # fmt: skip

    def _knows_all(self, i: int) -> bool:
        told = self.stats(i)
        peers = [told.get(f"node:{name}", "") for n, name in enumerate(self.listed) if n != i]
        return told.get("state") == "serving" and all(peer.startswith("serving") for peer in peers)

    def refuses(self, i: int) -> bool:
        """Whether the client port of node i refuses."""
        try:
            socket.create_connection(self.addresses[i], timeout=1).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it shuts at this very moment
            pass
        return False

    def says(self, i: int, text: str) -> bool:
        """Whether node i has logged a line with this in it."""
        return text in self.node(i).log.read_text(errors="replace")

    def _file(self, i: int, name: str) -> Path:
        return self.directory / f"{name}{i}"

    def build(self) -> None:
        """Build the network, and start nothing."""
        self.addresses = self.find_addresses()

    def start_all(self) -> None:
        """Start all nodes."""
        for i in range(self.count):
            self.start(i)


def _both_families(nodes: Named) -> None:
    """Names with both families; one node has no IPv6 address, whatever its name says."""
    nodes.run(1, "ip", "-6", "address", "flush", "dev", "eth0")
    nodes.start_all()
    until(nodes.whole, 15, "all three serve together")
    for host in (nodes.v4(0), nodes.v6(2)):
        socket.create_connection((host, _PORT), timeout=1).close()
    nodes.kill(1)
    until(lambda: "down" in nodes.stats(0).get("node:web2:11211", ""), 1, "who is killed is missed at once")
    nodes.start(1)
    until(nodes.whole, 15, "who comes back is found")


def _moved(nodes: Named) -> None:
    """A node comes back at other addresses, which its name stands for now."""
    nodes.start_all()
    until(nodes.whole, 15, "all three serve together")
    nodes.stop(2)
    nodes.run(2, "ip", "address", "flush", "dev", "eth0")
    nodes.run(2, "ip", "address", "add", "10.77.0.99/24", "dev", "eth0")
    for i in range(3):
        nodes.write_hosts(i, {"web1": [nodes.v4(0)], "web2": [nodes.v4(1)], "web3": ["10.77.0.99"]})
    nodes.addresses[2] = ("10.77.0.99", _PORT)
    nodes.start(2)
    until(nodes.whole, 15, "who has moved is found")


def _own_name_is_loopback(nodes: Named) -> None:
    """Debian's line for the own name: said at the start, with what to do."""
    nodes.write_hosts(0, {"web1": ["127.0.1.1"], "web2": [nodes.v4(1)], "web3": [nodes.v4(2)]})
    nodes.start(0)
    assert nodes.node(0).wait(10) == 2
    assert nodes.says(0, "web1 stands for 127.0.1.1 on this machine, where the other nodes cannot reach it")
    nodes.more[0] = ["--listen", nodes.v4(0)]
    nodes.start_all()
    until(nodes.whole, 15, "with --listen all is well")


def _others_name_is_wrong(nodes: Named) -> None:
    """One machine takes another node for itself, that one knows nothing of a third: each says so, two serve."""
    names = {"web1": [nodes.v4(0)], "web2": [nodes.v4(1)], "web3": [nodes.v4(2)]}
    nodes.write_hosts(1, names | {"web3": ["127.0.1.1"]})
    nodes.write_hosts(2, {name: places for name, places in names.items() if name != "web1"})
    nodes.start_all()
    wrong = "cannot reach web3:11211 on port 21211: 127.0.1.1: its port refuses; web3 stands for 127.0.1.1, "
    remedy = "this machine itself: correct /etc/hosts or DNS"
    until(lambda: nodes.says(1, wrong + remedy), 15, "web2 says what is wrong")
    nothing = "cannot reach web1:11211 on port 21211: web1 stands for no address on this machine"
    until(lambda: nodes.says(2, nothing), 15, "web3 says that it knows no address")
    until(lambda: nodes.stats(0).get("members") == nodes.stats(1).get("members") == "2 of 3", 15, "two serve")
    assert nodes.refuses(2), "it begins beside the others"


def _listens_elsewhere(nodes: Named) -> None:
    """A node that listens where nobody calls begins nothing beside the majority, and everybody says why."""
    nodes.run(2, "ip", "address", "add", "10.77.0.99/24", "dev", "eth0")
    nodes.addresses[2] = ("10.77.0.99", _PORT)
    nodes.more[2] = ["--listen", "10.77.0.99"]
    nodes.start_all()
    until(lambda: nodes.stats(0).get("state") == nodes.stats(1).get("state") == "serving", 15, "two serve")
    assert nodes.stats(0)["members"] == "2 of 3"
    refused_until = time.monotonic() + 6  # twice the time after which a node that knows of nobody begins
    while time.monotonic() < refused_until:
        assert nodes.refuses(2), "it begins beside the others"
        pause(0.05)
    line = "cannot reach web3:11211 on port 21211: fd77::13: its port refuses, 10.77.0.13: its port refuses"
    until(lambda: nodes.says(0, line), 5, "web1 says where it has called web3")
    assert nodes.says(0, "warning: begins without web3:11211"), "web1 says whom it does without"
    reason = "does not begin: web1:11211 is not heard, but lets this one in: it cannot reach this node"
    assert nodes.says(2, reason)


def _one_way(nodes: Named) -> None:
    """A firewall drops what the first node calls, the third is killed: the second serves, the first refuses."""
    nodes.start_all()
    until(nodes.whole, 15, "all three serve together")
    for family, host in (("ip", nodes.v4(0)), ("ip6", nodes.v6(0))):
        nodes.filter(1, f"add rule inet cut input {family} saddr {host} tcp dport {_LINK_PORT} drop")
    until(lambda: nodes.says(0, "cannot reach web2:11211"), 10, "the first node does not reach the second one")
    nodes.kill(2)
    until(lambda: nodes.refuses(0), 5, "the first node refuses")
    until(lambda: nodes.stats(1).get("state") == "serving", 5, "the second node serves")
    refused_until = time.monotonic() + 5
    while time.monotonic() < refused_until:
        assert nodes.refuses(0), "it goes on beside the one that it hears"
        assert nodes.stats(1).get("state") == "serving"
        pause(0.05)
    assert nodes.says(0, "web2:11211 is heard but does not hear this node")
    nodes.heal()
    until(lambda: nodes.stats(0).get("members") == "2 of 3", 15, "both serve together again")
    assert nodes.says(0, "serves clients again, after")


def _resolver_hangs(nodes: Named) -> None:
    """The resolver takes many seconds: who is known is found at once all the same, and nobody waits."""
    nodes.start_all()
    until(nodes.whole, 15, "both serve together")
    hole = nodes.add(Child("hole", [*nodes.within(0), sys.executable, "-c", _BLACK_HOLE], nodes.directory))
    until(lambda: "bound" in hole.log.read_text().splitlines(), 5, "the resolver is silent")
    nodes.write_hosts(0, {"web1": [nodes.v4(0)]})
    slowest = 0.0
    for _ in range(2):
        nodes.kill(1)
        nodes.start(1)
        began = time.monotonic()
        while not nodes.whole():
            assert time.monotonic() - began < 8, "who is known is found although the resolver is silent"
            asked = time.monotonic()
            assert nodes.stats(0)
            slowest = max(slowest, time.monotonic() - asked)
            pause(0.01)
    assert slowest < 0.5, f"a client waited for {slowest:.2f} s"


def _localhost(nodes: Named) -> None:
    """localhost, which is 127.0.0.1 and ::1: the nodes serve at both, and meet."""
    nodes.listed = [f"localhost:{_PORT}", f"localhost:{_PORT + 1}"]
    for i in range(2):
        nodes.network_of[i] = 0
        nodes.start(i)

    def reply(host: str, port: int) -> str:
        script = (
            f"import socket; s = socket.create_connection(('{host}', {port}), 1);"
            "s.sendall(b'stats cluster\\r\\n'); print(s.recv(4096).decode())"
        )
        command = [*nodes.within(0), sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, check=False, timeout=10).stdout.decode()

    for port in (_PORT, _PORT + 1):
        for host in ("127.0.0.1", "::1"):
            until(lambda host=host, port=port: "members 2 of 2" in reply(host, port), 15, f"{host} {port}")  # type: ignore[misc]


#: By name: how many nodes, and the story.
CASES: Final[dict[str, tuple[int, Callable[[Named], None]]]] = {
    "both_families": (3, _both_families),
    "moved": (3, _moved),
    "own_name_is_loopback": (3, _own_name_is_loopback),
    "others_name_is_wrong": (3, _others_name_is_wrong),
    "listens_elsewhere": (3, _listens_elsewhere),
    "one_way": (3, _one_way),
    "resolver_hangs": (2, _resolver_hangs),
    "localhost": (2, _localhost),
}


def main() -> None:
    """Tell one story."""
    enter(sys.argv[1:], "tests.faults.named")
    count, story = CASES[sys.argv[1]]
    with tempfile.TemporaryDirectory() as directory:
        nodes = Named(count, Path(directory))
        try:
            nodes.build()
            story(nodes)
            assert not nodes.misdeeds(), nodes.misdeeds()
        except BaseException as failure:
            nodes.__exit__(type(failure), failure, None)
            raise
        nodes.__exit__(None, None, None)


if __name__ == "__main__":
    main()
