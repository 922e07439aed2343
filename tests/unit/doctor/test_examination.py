"""All of it in order, and of a node that runs only what can be told beside it."""

from __future__ import annotations

from contextlib import closing

import attrs

from memrep.addresses import Address
from memrep.daemon.options import ServeOptions
from memrep.doctor.examination import examine
from memrep.node.options import NodeOptions
from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease


def _subjects(options: ServeOptions, runs: bool) -> list[str]:
    return list(dict.fromkeys(finding.subject for finding in examine(options, runs)))


def test_causes_come_before_what_follows_from_them() -> None:
    with closing(PortLease(2, offsets=(0, NODE_LINK_OFFSET))) as lease:
        nodes = sorted(Address(HOST, port) for port in lease.ports)
        node = NodeOptions(nodes=list(map(str, nodes)), me=1)
        options = ServeOptions(nodes=nodes, me=nodes[0], listen=HOST, port=nodes[0].port, node=node)
        machine = ["descriptors", "memory", "clock", "names"]
        assert _subjects(options, runs=False) == [*machine, "ports", "way there"]
        (ports,) = (found for found in examine(options, runs=True) if found.subject == "ports")
        assert ports.verdict == "note" and "this node runs already" in ports.text
        alone = attrs.evolve(options, nodes=nodes[:1], node=NodeOptions(nodes=[str(nodes[0])]))
        assert _subjects(alone, runs=False) == [*machine, "ports"]
        saving = attrs.evolve(alone, data_dir="/var/lib/memrep")
        assert _subjects(saving, runs=True)[:5] == ["descriptors", "memory", "clock", "disk", "names"]
