"""Nodes that do not fit together: the one that is turned away reads in `memrep status` why, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from memrep.replication.wire import WIRE_VERSION
from memrep.status.facts import SERVING

from .asked import Asked, Waiting, one, states
from .processes import CHECKOUT, HOST, Child, PortLease, accepts

pytestmark = pytest.mark.real

#: A memrep of another release, as far as its nodes' protocol goes.
_OF_ANOTHER_RELEASE: Final = (
    "import sys; from memrep.replication import handshake; handshake.WIRE_VERSION += int(sys.argv.pop(1)); "
    "from memrep.cli import main; sys.exit(main())"
)


class _Released(Waiting):
    """Two nodes, of which the second is of another release."""

    def __init__(self, directory: Path, newer_by: int) -> None:
        super().__init__(2, directory)
        self._newer_by = newer_by

    def argv(self, i: int) -> list[str]:
        python, _, _, *rest = super().argv(i)
        module = ["-c", _OF_ANOTHER_RELEASE, str(self._newer_by)] if i else ["-m", "memrep"]
        return [python, *module, *rest]


def _start_two(cluster: Asked) -> None:
    cluster.start(0)
    cluster.start(1)


def test_a_list_that_lacks_a_node_is_told_the_right_way_round_to_either_side(tmp_path: Path) -> None:
    with Waiting(3, tmp_path) as cluster:
        long, short = cluster.addresses[0], cluster.addresses[1]
        cluster.listed[1] = cluster.addresses[:2]
        _start_two(cluster)
        missing = f"--nodes differs: {cluster.addresses[2]} is missing in that of {short}"
        for i, text in [
            (0, f"{short} will not have {long}: {missing}"),
            (1, f"{long} will not have {short}: {missing}"),
        ]:
            problem = cluster.problem(i, "turned-away", "--nodes")
            assert (problem.severity, problem.text) == ("critical", text)
            assert (
                problem.remedy == "make `nodes` the same on all servers, then restart those where it was wrong"
            )
            assert text in cluster.table(i)
            assert not accepts(cluster.ports[i]), "it begins beside the other one, which may have the data"
        cluster.kill(1)
        # The third one is down as well, for it was never started.
        down = cluster.problem(0, "down", "its port refuses", of=short)
        assert down.remedy.startswith("start it"), "what was said before is over"


@pytest.mark.parametrize(
    ("option", "values", "key"),
    [
        ("--partition", ("available", "majority"), "partition"),
        ("--failure-timeout", ("2", "3"), "failure_timeout"),
    ],
)
def test_terms_that_differ_are_told_with_who_has_which(
    option: str, values: tuple[str, str], key: str, tmp_path: Path
) -> None:
    own = {i: [option, value] for i, value in enumerate(values)}
    with Waiting(2, tmp_path, own=own) as cluster:
        _start_two(cluster)
        here, there = cluster.addresses
        for i, caller, called in [(0, here, there), (1, there, here)]:
            mine, theirs = (values[i], values[1 - i])
            problem = cluster.problem(i, "turned-away", option)
            runs = f"{caller} runs with {option} {mine}, {called} with {option} {theirs}"
            assert problem.text == f"{called} will not have {caller}: {runs}"
            assert problem.remedy.startswith(f"make `{key}` the same on all servers")


def test_secrets_that_differ_are_told_with_what_to_do(tmp_path: Path) -> None:
    for i in range(2):
        path = tmp_path / f"secret{i}"
        path.write_text("0123456789abcdef"[:: 1 - 2 * i])
        path.chmod(0o600)
    own = {i: ["--secret-file", str(tmp_path / f"secret{i}")] for i in range(2)}
    with Waiting(2, tmp_path, own=own) as cluster:
        _start_two(cluster)
        caller, called = cluster.addresses
        problem = cluster.problem(
            0, "turned-away", f"the --secret-file of {caller} differs from that of {called}"
        )
        assert problem.remedy.startswith("copy one secret file to all servers")
        cluster.kill(1)
        cluster.own[1] = []
        cluster.start(1)
        cluster.problem(0, "turned-away", f"{caller} has a --secret-file, {called} has none")
        cluster.problem(1, "turned-away", f"{called} has no --secret-file, {caller} has one")


@pytest.mark.parametrize("newer_by", [-1, 1], ids=["older", "newer"])
def test_of_two_releases_the_one_to_be_upgraded_is_named(newer_by: int, tmp_path: Path) -> None:
    with _Released(tmp_path, newer_by) as cluster:
        _start_two(cluster)
        ours, theirs = cluster.addresses
        older = theirs if newer_by < 0 else ours
        spoken = {ours: WIRE_VERSION, theirs: WIRE_VERSION + newer_by}
        for i, caller, called in [(0, ours, theirs), (1, theirs, ours)]:
            problem = cluster.problem(i, "turned-away", "nodes' protocol")
            versions = f"version {spoken[caller]} of the nodes' protocol, {called} version {spoken[called]}"
            assert (
                problem.text == f"{called} will not have {caller}: {caller} speaks {versions}; upgrade {older}"
            )
            assert problem.remedy.startswith("upgrade the older one first")


def test_in_majority_mode_a_node_that_begins_says_for_whom_it_waits(tmp_path: Path) -> None:
    with Waiting(3, tmp_path, ["--partition", "majority", "--cold-start", "1"]) as cluster:
        here, there, third = cluster.addresses
        cluster.start(0)
        rule = "with --partition majority nodes without data begin only when all of them are there"
        for missing in [[there, third], [third]]:
            waits = [f"waits for {name} (its port refuses)" for name in missing]
            why = "; ".join([*waits, rule])
            cluster.told(0, lambda status, why=why: one(status, here).why == why, why)  # type: ignore[misc]
            assert why in cluster.table(0)
            assert not accepts(cluster.ports[0])
            cluster.problem(0, "not-serving", f"{here} lets no clients in: {why}")
            cluster.start(1 if missing == [there, third] else 2)
        cluster.told(0, lambda status: states(status) == [SERVING] * 3, "with the last one all serve")


@pytest.mark.parametrize("named", [True, False], ids=["named by --self", "to be found"])
def test_a_node_whose_address_is_not_this_machines_ends_with_one_line_that_says_what_to_do(
    named: bool, tmp_path: Path
) -> None:
    own = ["--self", "203.0.113.7:11211"] if named else []
    nodes = "tcp://203.0.113.7:11211,tcp://203.0.113.8:11211"
    argv = [sys.executable, "-m", "memrep", "serve", "--admin", "none", "--nodes", nodes, *own]
    child = Child("node", ["env", f"PYTHONPATH={CHECKOUT}", *argv], tmp_path)
    try:
        assert child.wait(20) == 4, "the address may come"
    finally:
        child.kill()
    (line,) = child.log.read_text().splitlines()[1:]
    if named:
        assert "203.0.113.7 is no address of this machine" in line
        assert "behind NAT or in a container give --listen 0.0.0.0" in line
    else:
        assert "none of --nodes (203.0.113.7:11211 203.0.113.8:11211) is an address of this machine" in line
        assert "give --self and --listen 0.0.0.0" in line
    assert "ss -ltnp" not in line, "nobody else has that port"


def test_a_node_that_is_not_in_its_own_list_is_told_so(tmp_path: Path) -> None:
    lease = PortLease(2)
    try:
        myself, other = (f"{HOST}:{port}" for port in lease.ports)
        argv = [sys.executable, "-m", "memrep", "serve", "--admin", "none", "--nodes", other, "--self", myself]
        child = Child("node", ["env", f"PYTHONPATH={CHECKOUT}", *argv], tmp_path)
        try:
            assert child.wait(20) == 2
        finally:
            child.kill()
        (line,) = child.log.read_text().splitlines()[1:]
        assert line == f"memrep: --self {myself} is not in --nodes ({other}); give one of these"
    finally:
        lease.close()
