"""The examination: what the node needs, one thing after another, each told as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterator

from memrep.addresses import Address
from memrep.daemon.local_address import sources_of_links
from memrep.daemon.options import ServeOptions
from memrep.doctor.disk import disk
from memrep.doctor.finding import Finding
from memrep.doctor.inward import inward
from memrep.doctor.machine import clock, descriptors, memory
from memrep.doctor.names import names
from memrep.doctor.outward import outward
from memrep.doctor.ports import OwnPorts
from memrep.replication.handshake import Identity


def examine(options: ServeOptions, runs: bool) -> Iterator[Finding]:
    """Look at this machine and at the ways to and from the other nodes, as a node of these options needs them.

    Args:
        options: what the node would be told.
        runs: whether that node runs already, and has its ports.
    """
    yield descriptors(options.connections)
    yield memory(options.node.memory, options.connections)
    yield from clock()
    if options.data_dir:
        yield disk(options.data_dir, options.node.memory)
    yield from names(options.nodes, options.me)
    if runs:
        yield Finding("ports", "note", "this node runs already, and has its ports; `memrep status` tells more")
        for _, finding in _outward(options):
            yield finding
        return
    own = OwnPorts(options)
    try:
        yield from own.findings
        running = set()
        for node, finding in _outward(options):
            yield finding
            if finding.verdict == "ok":
                running.add(node)
        if own.links:
            yield from inward(_identity(options), options.nodes, own.links, sorted(running))
    finally:
        own.close()


def _outward(options: ServeOptions) -> Iterator[tuple[Address, Finding]]:
    if len(options.nodes) > 1:
        yield from outward(_identity(options), options.nodes, sources_of_links(options.me.host))


def _identity(options: ServeOptions) -> Identity:
    node = options.node
    return Identity(me=node.me, inc=0, nodes=list(node.nodes), terms=node.terms, secrets=node.secrets)
