"""A node that has as many clients as `-c` allows says nothing to one more: it hangs up.

memcached tells such a client "ERROR Too many open connections", which is no answer to what it has asked,
in a protocol that it may not speak. It reads it as the reply to its first command.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from .cluster import Cluster
from .php import Php, pecl_memcache, php_memcached_binary, php_memcached_text
from .processes import HOST, until

pytestmark = pytest.mark.real

ROOM = 20
SESSIONS = 60


class SmallDoors(Cluster):
    """Nodes that let few clients in."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "-c", str(ROOM)]

    @contextmanager
    def full(self, i: int) -> Iterator[None]:
        """Fill node i up with clients who want nothing."""
        with ExitStack() as stack:
            for _ in range(ROOM):
                client = stack.enter_context(socket.create_connection((HOST, self.ports[i]), timeout=5))
                client.sendall(b"version\r\n")
                assert client.recv(100).startswith(b"VERSION")
            yield
        until(lambda: self.has_room(i), 5, f"node {i} has noticed that they left")

    def has_room(self, i: int) -> bool:
        """Whether node i serves one more."""
        try:
            return self.stats(i, "")["curr_connections"] == "1"
        except OSError:
            return False


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDoors]:
    with SmallDoors(3, tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.mark.parametrize(
    "said", [b"", b"version\r\n", b"\x80\x0b" + bytes(22), b"set a 0 0 1000\r\n" + b"x" * 500]
)
def test_one_too_many_is_told_nothing_whatever_it_speaks(nodes: SmallDoors, said: bytes) -> None:
    before = int(nodes.stats(0, "")["rejected_connections"])
    with nodes.full(0), socket.create_connection((HOST, nodes.ports[0]), timeout=5) as client:
        client.sendall(said)
        assert client.recv(100) == b""  # an end, and no reset
    assert int(nodes.stats(0, "")["rejected_connections"]) > before


def test_the_operator_is_told_once_a_minute_and_what_to_do(nodes: SmallDoors) -> None:
    with nodes.full(1):
        for _ in range(5):
            with socket.create_connection((HOST, nodes.ports[1]), timeout=5) as client:
                assert client.recv(100) == b""
        (line,) = nodes.node(1).lines_with("sends clients away")
        assert "raise -c" in line


@pytest.mark.parametrize("full", [[0], [0, 1]], ids=["one", "two"])
@pytest.mark.parametrize("handler", ["memcache", "memcached", "memcached text"])
def test_php_takes_a_full_node_for_no_empty_session(
    nodes: SmallDoors, handler: str, full: list[int], tmp_path: Path
) -> None:
    settings = {
        "memcache": pecl_memcache(nodes.ports, 3),
        "memcached": php_memcached_binary(nodes.ports),
        "memcached text": php_memcached_text(nodes.ports),
    }[handler]
    label = f"{handler} {len(full)}"
    with Php(settings, tmp_path, sessions=SESSIONS, label=label) as php:
        assert php.ask("round").ok == SESSIONS
        with ExitStack() as stack:
            for i in full:
                stack.enter_context(nodes.full(i))
            for _ in range(2):
                outcome = php.ask("round")
                refused = outcome.anomalies.get("failed start", 0)
                assert outcome.anomalies.keys() <= {"failed start"}
                assert outcome.ok + refused == SESSIONS
                assert handler != "memcache" or not refused, "it goes to the next node"
        assert php.ask("round").anomalies == {}
