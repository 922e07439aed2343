"""What the tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memrep.addresses import Address
from memrep.daemon.options import ServeOptions
from memrep.node.options import NodeOptions
from memrep.replication.membership.timing import Timing
from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease
from tests.unit.daemon.street import Street


@pytest.fixture
def options() -> Iterator[ServeOptions]:
    """A node without others, at a free port; a busy machine may stop it for a while, and it does not mind."""
    lease = PortLease(1, offsets=(0, NODE_LINK_OFFSET))
    me = Address(HOST, lease.ports[0])
    node = NodeOptions(nodes=[str(me)], timing=Timing.scaled(60_000))
    yield ServeOptions(node=node, nodes=[me], me=me, listen=HOST, port=me.port, drain_ms=0)
    lease.close()


@pytest.fixture
def street() -> Iterator[Street]:
    street = Street()
    yield street
    street.close()
