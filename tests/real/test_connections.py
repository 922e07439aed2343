"""`stats conns` on a real node: each socket with its address, what it does, and how long it has been quiet."""

import re
import socket
from pathlib import Path

import pytest

from .cluster import Cluster
from .processes import HOST, pause

pytestmark = pytest.mark.real


class WithSocket(Cluster):
    """Nodes that serve on a unix socket, too."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--unix", str(self.directory / f"node{i}.sock")]


def test_each_connection_is_described_as_memcached_does(tmp_path: Path) -> None:
    with WithSocket(2, tmp_path) as cluster, socket.socket(socket.AF_UNIX) as local:
        local.connect(str(tmp_path / "node0.sock"))
        with socket.create_connection((HOST, cluster.ports[0])) as quiet:
            for client in (local, quiet):
                client.sendall(b"version\r\n")
                assert client.recv(100).startswith(b"VERSION")
            local.sendall(b"set a 0 0 100\r\nhalf")
            pause(1.1)
            own = quiet.getsockname()[1]
            told = cluster.stats(0, "conns")
    sockets: dict[str, dict[str, str]] = {}
    for name, text in told.items():
        number, field = name.split(":")
        sockets.setdefault(number, {})[field] = text
    port, path = f"tcp:{HOST}:{cluster.ports[0]}", f"unix:{tmp_path / 'node0.sock'}"
    doors = [found for found in sockets.values() if found["state"] == "conn_listening"]
    assert sorted(found["addr"] for found in doors) == [port, path]
    clients = {found["addr"]: found for found in sockets.values() if found not in doors}
    asking = next(address for address in clients if address not in (path, f"tcp:{HOST}:{own}"))
    assert re.fullmatch(rf"tcp:{re.escape(HOST)}:\d+", asking)
    assert clients[f"tcp:{HOST}:{own}"]["listen_addr"] == clients[asking]["listen_addr"] == port
    assert clients[path]["listen_addr"] == path
    assert clients[path]["state"] == "conn_nread"
    assert clients[f"tcp:{HOST}:{own}"]["state"] == "conn_read"
    assert clients[asking]["state"] == "conn_parse_cmd"
    assert clients[asking]["secs_since_last_cmd"] in ("0", "1")  # a second may end between
    assert int(clients[f"tcp:{HOST}:{own}"]["secs_since_last_cmd"]) >= 1
