"""Three nodes behind the firewall of deploy/, on the addresses of deploy/, and a stranger on the same network.

Run inside namespaces of its own by test_firewall.py: `python -m tests.real.firewalled FOLDER NAME`. The network
is a bridge, on which each host has its namespace and the interface eth1. The files of deploy/ are taken as they
stand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.real.processes import CHECKOUT, Child, Family, until
from tests.real.urgency import as_the_unit_runs

DEPLOY = CHECKOUT / "deploy"
NODES = ["10.1.1.1", "10.2.2.2", "10.3.3.3"]
STRANGER = "10.9.9.9"
CLIENTS, LINKS = 11211, 21211
LOAD = {"nftables.conf": ["nft", "-f"], "iptables.rules": ["iptables-restore"]}

#: Asks nodes something, told by host, port and line; prints the answers, or why there is no connection.
_ASK = """
import json, socket, sys

def ask(host, port, line):
    try:
        client = socket.create_connection((host, port), timeout=0.5)
    except OSError as error:
        return type(error).__name__
    told = b""
    if line:
        client.settimeout(5)
        client.sendall(line.encode() + b"\\r\\nquit\\r\\n")
        while part := client.recv(65536):
            told += part
    return told.decode()

print(json.dumps([ask(*question) for question in json.loads(sys.argv[1])]))
"""


class Pool(Family):
    """The hosts."""

    def __init__(self, directory: Path, rules: Path | None) -> None:
        super().__init__()
        self._directory = directory
        self._rules = rules
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "name", "pool", "type", "bridge")
        run("ip", "link", "set", "pool", "up")
        for number, host in enumerate([*NODES, STRANGER]):
            self._plug_in(number, host)
        self.load()

    def load(self) -> None:
        """Load the rules on each node, as the head of their file says."""
        if self._rules is not None:
            for host in NODES:
                run(*self.within(host), *LOAD[self._rules.name], str(self._rules))

    def start(self, host: str, *options: str) -> None:
        """Start the node of this host."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
        command = [sys.executable, "-m", "memrep", "serve", "--config", str(DEPLOY / "memrep.toml"), *options]
        argv = [*self.within(host), *command]
        env["PYTHONPATH"] = str(CHECKOUT)
        self.add(Child(f"node {host}", as_the_unit_runs(argv), self._directory, env=env))

    def ask_all(self, client: str, questions: list[tuple[str, int, str]]) -> list[str]:
        """What a client on one host is told; the kind of error if it gets no connection."""
        answers: list[str] = json.loads(
            run(*self.within(client), sys.executable, "-c", _ASK, json.dumps(questions))
        )
        return answers

    def ask(self, client: str, node: str, line: str = "", port: int = CLIENTS) -> str:
        """The same of one node."""
        return self.ask_all(client, [(node, port, line)])[0]

    def has_members(self, node: str, count: int) -> bool:
        """Whether this node says that so many are in its view."""
        return f"STAT members {count} of 3\r\n" in self.ask(node, node, "stats cluster")

    def view(self, node: str) -> str:
        """The number of its view; a link that breaks brings another one."""
        told = self.ask(node, node, "stats cluster").splitlines()
        return next(line for line in told if line.startswith("STAT view "))

    def within(self, host: str) -> list[str]:
        """The beginning of a command that runs there."""
        return ["nsenter", f"--net=/proc/{self.children[f'host {host}'].process.pid}/ns/net", "--"]

    def _plug_in(self, number: int, host: str) -> None:
        holder = self.add(Child(f"host {host}", ["unshare", "--net", "sleep", "infinity"], self._directory))
        pid = holder.process.pid
        own, its = Path("/proc/self/ns/net"), Path(f"/proc/{pid}/ns/net")
        until(lambda: its.exists() and own.readlink() != its.readlink(), 5, f"{host} has a namespace")
        cable = f"cable{number}"
        run("ip", "link", "add", "name", cable, "type", "veth", "peer", "name", "eth1", "netns", str(pid))
        run("ip", "link", "set", cable, "master", "pool", "up")
        run(*self.within(host), "ip", "link", "set", "lo", "up")
        run(*self.within(host), "ip", "address", "add", f"{host}/8", "dev", "eth1")
        run(*self.within(host), "ip", "link", "set", "eth1", "up")


def run(*command: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def meet(pool: Pool) -> None:
    """All nodes become members of one view."""
    for host in NODES:
        pool.start(host)
    for host in NODES:
        until(partial(pool.has_members, host, 3), 30, f"{host} has met the others")


def the_pool_gets_in_and_replicates(pool: Pool) -> None:
    """A client on any node's host writes at any node; any other reads it."""
    for client in NODES:
        writes = [(node, CLIENTS, f"set {client}-{node} 0 60 1\r\nx") for node in NODES]
        assert pool.ask_all(client, writes) == ["STORED\r\n"] * 3, client
    keys = [f"{client}-{node}" for client in NODES for node in NODES]
    found = "".join(f"VALUE {key} 0 1\r\nx\r\n" for key in keys) + "END\r\n"
    for client in NODES:
        reads = [(node, CLIENTS, f"get {' '.join(keys)}") for node in NODES]
        assert pool.ask_all(client, reads) == [found] * 3, client


def a_stranger_is_refused(pool: Pool) -> None:
    """At the client port at once; at the nodes' port there is nobody."""
    ports = [(node, port, "version") for node in NODES for port in (CLIENTS, LINKS)]
    assert pool.ask_all(STRANGER, ports) == ["ConnectionRefusedError", "TimeoutError"] * 3


def loaded_again_under_living_links_nothing_breaks(pool: Pool) -> None:
    """The nodes' links stand, and so do clients' connections."""
    views = [pool.view(host) for host in NODES]
    pool.load()
    the_pool_gets_in_and_replicates(pool)
    a_stranger_is_refused(pool)
    assert [pool.view(host) for host in NODES] == views


def a_node_that_is_killed_comes_back(pool: Pool) -> None:
    """The others go on in the meantime."""
    pool.children[f"node {NODES[1]}"].kill()
    until(partial(pool.has_members, NODES[0], 2), 10, "the others go on")
    assert pool.ask(NODES[1], NODES[1], "version") == "ConnectionRefusedError"
    assert pool.ask(NODES[1], NODES[2], "version").startswith("VERSION")
    pool.start(NODES[1])
    until(partial(pool.has_members, NODES[1], 3), 30, "it has come back")
    the_pool_gets_in_and_replicates(pool)


def without_the_lines_for_the_nodes_port_each_is_alone(pool: Pool) -> None:
    """The control: these lines are what lets nodes meet."""
    for host in NODES:
        pool.start(host, "--cold-start", "1")
    for host in NODES:
        until(partial(pool.has_members, host, 1), 30, f"{host} has begun alone")


def without_rules_the_stranger_gets_in(pool: Pool) -> None:
    """The control: it is the rules that keep him out."""
    meet(pool)
    for node in NODES:
        assert pool.ask(STRANGER, node, "version").startswith("VERSION")
        assert pool.ask(STRANGER, node, port=LINKS) == ""


def main(folder: str, name: str) -> None:
    """Everything about one file, or a control."""
    directory = Path(folder)
    if name == "none":
        with Pool(directory, None) as pool:
            without_rules_the_stranger_gets_in(pool)
        return
    if name == "tutorial":
        rules = directory / "iptables.rules"
        lines = (DEPLOY / rules.name).read_text().splitlines()
        rules.write_text("\n".join(line for line in lines if f"--dport {LINKS}" not in line) + "\n")
        with Pool(directory, rules) as pool:
            without_the_lines_for_the_nodes_port_each_is_alone(pool)
        return
    with Pool(directory, DEPLOY / name) as pool:
        meet(pool)
        the_pool_gets_in_and_replicates(pool)
        a_stranger_is_refused(pool)
        loaded_again_under_living_links_nothing_breaks(pool)
        a_node_that_is_killed_comes_back(pool)


if __name__ == "__main__":
    main(*sys.argv[1:])
