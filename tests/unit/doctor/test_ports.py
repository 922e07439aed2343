"""Each port of the node's own is had for a moment, and who has it already is to be found."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import attrs

from memrep.addresses import Address
from memrep.daemon.admin_socket import AdminPath
from memrep.daemon.options import ServeOptions
from memrep.doctor.ports import OwnPorts
from memrep.node.options import NodeOptions
from tests.real.processes import HOST, NODE_LINK_OFFSET, PortLease


def _options(port: int, others: bool = True) -> ServeOptions:
    me = Address(HOST, port)
    nodes = sorted([me, Address("10.2.2.2", port)]) if others else [me]
    return ServeOptions(nodes=nodes, me=me, listen=HOST, port=port, node=NodeOptions())


def test_free_ports_are_given_back_but_that_of_the_links() -> None:
    with closing(PortLease(1, offsets=(0, NODE_LINK_OFFSET))) as lease:
        (port,) = lease.ports
        ports = OwnPorts(_options(port))
        try:
            assert [(found.verdict, found.text) for found in ports.findings] == [
                ("ok", f"{HOST}:{port} for clients: free"),
                ("ok", f"{HOST}:{port + NODE_LINK_OFFSET} for nodes: free"),
            ]
            socket.create_connection((HOST, port + NODE_LINK_OFFSET), 5).close()
        finally:
            ports.close()
        with closing(socket.socket()) as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # who was connected may linger
            again.bind((HOST, port))


def test_a_port_that_somebody_has_is_told_with_how_to_find_him() -> None:
    with closing(PortLease(1, offsets=(0, NODE_LINK_OFFSET))) as lease, closing(socket.socket()) as somebody:
        (port,) = lease.ports
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind((HOST, port))
        somebody.listen()
        (found,) = OwnPorts(_options(port, others=False)).findings
        assert found.verdict == "wrong"
        assert found.text == f"cannot listen on {HOST}:{port} for clients: Address already in use"
        assert f"ss -ltnp 'sport = :{port}'" in found.remedy


def test_a_socket_whose_directory_is_not_there_is_told(tmp_path: Path) -> None:
    with closing(PortLease(1)) as lease:
        options = _options(lease.ports[0], others=False)
        admin = AdminPath(path=str(tmp_path / "admin.sock"), mode=0o600, named=True, own_directory=False)
        options = attrs.evolve(options, unix=str(tmp_path / "none" / "memrep.sock"), admin=admin)
        _, unix, told = OwnPorts(options).findings
        assert (unix.verdict, told.verdict) == ("wrong", "ok")
        assert unix.text.endswith("its directory does not exist")


def test_the_directory_that_a_node_makes_by_itself_need_not_be_there(tmp_path: Path) -> None:
    with closing(PortLease(1)) as lease:
        admin = AdminPath(path=str(tmp_path / "none" / "x.sock"), mode=0o600, named=False, own_directory=True)
        options = attrs.evolve(_options(lease.ports[0], others=False), admin=admin)
        assert [found.verdict for found in OwnPorts(options).findings] == ["ok"]
