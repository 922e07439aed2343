"""Nodes in networks of their own that are asked with `memrep status`: `python -m tests.faults.asked CASE`.

As in named.py a story is told in namespaces, and the exit status is 0 if it ends well. The admin sockets are
files, so whoever tells the story asks each node, whatever becomes of the network between them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from memrep.doctor.finding import Finding
from memrep.status.facts import DIRECT, SERVING, Status
from tests.faults.named import Named
from tests.faults.network import enter
from tests.harness.admin_client import ask
from tests.real.asked import command, one, problem, states, table, told
from tests.real.processes import CHECKOUT, until

_LINK_PORT: Final = 21211


class NamedAndAsked(Named):
    """Nodes web1, web2 and web3, with an admin socket each."""

    def argv(self, i: int) -> list[str]:
        """The command that runs node i."""
        return [*super().argv(i), "--admin", str(self.admin(i))]

    def admin(self, i: int) -> Path:
        """Where node i is asked."""
        return self.directory / f"admin{i}.sock"

    def meet(self) -> None:
        """Start all nodes; return when each of them tells that all serve."""
        self.start_all()
        for i in range(self.count):
            told(self.admin(i), lambda status: states(status) == [SERVING] * self.count, "all serve")

    def drop_calls(self, caller: int, called: int) -> None:
        """Let a firewall drop what one node calls at another one; the other direction stays."""
        for family, host in (("ip", self.v4(caller)), ("ip6", self.v6(caller))):
            rule = f"{family} saddr {host} tcp dport {_LINK_PORT} drop"
            self.filter(called, f"add rule inet cut input {rule}")


def _both_families(nodes: NamedAndAsked) -> None:
    """Names that have an IPv4 and an IPv6 address split no cluster: each node tells of three that serve."""
    nodes.meet()
    for i in range(3):
        status = told(nodes.admin(i), lambda status: not status.problems, "all is well")
        assert [node.member for node in status.nodes] == [True] * 3
        assert [node.path for node in status.nodes if not node.asked] == [DIRECT] * 2
        code, text = command(nodes.admin(i), "status")
        assert code == 0 and "cluster 3 of 3 nodes" in text, text


def _one_way(nodes: NamedAndAsked) -> None:
    """A detour is told before the node on the way is stopped, and who may not serve tells why afterwards."""
    nodes.meet()
    nodes.drop_calls(0, 1)
    first, second, third = nodes.listed
    does_not_reach = f"{first} does not reach {second} directly"
    for i in range(3):
        detour = problem(nodes.admin(i), "path", does_not_reach)
        assert "the other direction works" in detour.text
        assert "let the firewalls admit port 21211 from web1 to web2" in detour.remedy
        assert "do not stop a third node" in detour.remedy
    status = told(nodes.admin(0), lambda status: one(status, second).path == f"via {third}", "the detour")
    assert states(status) == [SERVING] * 3
    assert "via web3" in table(nodes.admin(0))
    _, page = ask(nodes.admin(0), "/")
    assert "web2 does not hear web1; the other direction works." in page
    assert "What web1 says to web2 goes over web3." in page
    assert 'class="link detour"' in page
    code, text = command(nodes.admin(2), "check", "safe-to-stop")
    assert code == 2, text
    assert f"{first} and {second} reach each other only through {third}" in text
    nodes.stop(2)
    _one_way_without_the_third(nodes)


def _one_way_without_the_third(nodes: NamedAndAsked) -> None:
    first, second, _ = nodes.listed

    def says_why(status: Status) -> bool:
        return f"{second} is heard but does not hear this node" in one(status, first).why

    until(lambda: nodes.refuses(0), 10, "the first node refuses")
    told(nodes.admin(0), says_why, "who does not hear the node that does not serve")
    found = problem(nodes.admin(0), "not-serving", f"{first} lets no clients in: ")
    assert f"{second} is heard but does not hear this node" in found.text
    assert found.text in table(nodes.admin(0))
    assert nodes.refuses(0)
    told(nodes.admin(1), lambda status: one(status, second).state == SERVING, "the second node serves")
    silent = problem(nodes.admin(1), "down", f"{first} has been silent")
    assert "whether the firewall here admits port 21211 from there" in silent.remedy


def _doctor(nodes: NamedAndAsked) -> None:
    """Before a node starts the doctor tells which ways are shut, and in which direction; nobody notices."""
    first, second, third = nodes.listed
    for i in range(2):
        nodes.start(i)
    told(nodes.admin(0), lambda status: states(status)[:2] == [SERVING] * 2, "two serve without the third")
    found = _examined(nodes, 2)
    assert not [finding for finding in found if finding.verdict == "wrong"], found
    assert {finding.text for finding in found if finding.subject.startswith("way")} == {
        f"{name} {what}"
        for name in (first, second)
        for what in (
            f"for nodes (port {_LINK_PORT}) answers", "for clients answers",
            "calls this machine, and would be let in",
        )
    }  # fmt: skip
    nodes.drop_calls(0, 2)
    nodes.drop_calls(2, 1)
    found = _examined(nodes, 2)
    assert [finding.text for finding in found if finding.verdict == "wrong"] == [
        f"{second} for nodes (port {_LINK_PORT}): it does not answer",
        f"{first} runs, but does not call this machine",
    ], found
    status = told(nodes.admin(0), lambda status: states(status)[:2] == [SERVING] * 2, "the two go on")
    assert {found.kind for found in status.problems} == {"down"}, status.problems
    assert {found.nodes[0] for found in status.problems} == {third}
    nodes.heal()
    nodes.start(2)
    told(nodes.admin(2), lambda status: states(status) == [SERVING] * 3, "the third serves with them")


def _examined(nodes: NamedAndAsked, i: int) -> list[Finding]:
    """What the doctor finds on the machine of node i, with that one's options."""
    argv = ["doctor" if word == "serve" else word for word in nodes.argv(i)]
    done = subprocess.run([*argv, "-w", "json"], cwd=CHECKOUT, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done
    return msgspec.json.decode(done.stdout, type=list[Finding])


#: By name.
CASES: Final[dict[str, Callable[[NamedAndAsked], None]]] = {
    "both_families": _both_families,
    "one_way": _one_way,
    "doctor": _doctor,
}


def main() -> None:
    """Tell one story."""
    enter(sys.argv[1:], "tests.faults.asked")
    with tempfile.TemporaryDirectory() as directory:
        nodes = NamedAndAsked(3, Path(directory))
        try:
            nodes.build()
            CASES[sys.argv[1]](nodes)
            assert not nodes.misdeeds(), nodes.misdeeds()
        except BaseException as failure:
            nodes.__exit__(type(failure), failure, None)
            raise
        nodes.__exit__(None, None, None)


if __name__ == "__main__":
    main()
