"""What the tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from memrep.addresses import Address
from memrep.daemon.admin_socket import AdminPath
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


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    """Where a node that is watched has its admin socket."""
    return tmp_path / "admin.sock"


@pytest.fixture
def watched(options: ServeOptions, socket: Path) -> ServeOptions:
    """The same with an admin socket."""
    admin = AdminPath(path=str(socket), mode=0o600, named=True, own_directory=False)
    return attrs.evolve(options, admin=admin)
