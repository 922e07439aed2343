"""What pecl-memcache sends, command by command, at moments that a test chooses.

Real PHP writes session and lock to all nodes within a millisecond, and what a copy can break that comes
late shows once in hundreds of requests. Here a `Page` speaks like PHP and comes as late as it likes.
"""

import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from .cluster import Cluster
from .processes import HOST, pause, until

pytestmark = pytest.mark.real

LOCK_TIMEOUT_S = 15

# Too short to be given up by the other nodes, long enough to be noticed.
SHORT_STOPS_S = [0.25, 0.26, 0.27, 0.28, 0.29, 0.3, 0.31, 0.32, 0.33]


class Connection:
    """One connection to a node."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=10)
        self._replies = self._socket.makefile("rb")

    def close(self) -> None:
        self._replies.close()
        self._socket.close()

    def send(self, *commands: bytes) -> None:
        self._socket.sendall(b"".join(command + b"\r\n" for command in commands))

    def ask(self, *commands: bytes) -> list[bytes]:
        """The replies to these commands, which go out together."""
        self.send(*commands)
        return [self.reply() for _ in commands]

    def reply(self) -> bytes:
        """The next reply; empty if the node has closed the connection."""
        line = self._replies.readline().removesuffix(b"\r\n")
        if line.startswith(b"VALUE "):
            value = self._replies.read(int(line.split()[3]) + 2)[:-2]
            assert self._replies.readline() == b"END\r\n"
            return value
        return line


class Page:
    """One request for session S, as pecl-memcache speaks to the nodes for it: one connection to each.

    It starts at one node, which grants it the session's lock or does not; in the end it writes to all of them,
    in an order and at moments that nobody knows.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._ports = cluster.ports
        self._ends = int(time.time()) + 1440
        self._connections: dict[int, Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def at(self, node: int) -> Connection:
        if node not in self._connections:
            self._connections[node] = Connection(self._ports[node])
        return self._connections[node]

    def start(self, node: int) -> bytes | None:
        """What the session holds, once the lock is granted; None where it is not."""
        incremented, added, value = self.at(node).ask(*self.starting())
        return value if incremented == b"1" or added == b"STORED" else None

    def starting(self) -> list[bytes]:
        return [b"incr S.lock 1", b"add S.lock 768 %d 1\r\n1" % LOCK_TIMEOUT_S, b"get S"]

    def write(self, node: int, value: bytes) -> None:
        """Store the session at one node and release the lock there."""
        assert self.at(node).ask(*self.writing(value)) == [b"STORED", b"STORED"]

    def writing(self, value: bytes) -> list[bytes]:
        return [
            b"set S 0 %d %d\r\n%b" % (self._ends, len(value), value),
            b"set S.lock 768 %d 1\r\n0" % LOCK_TIMEOUT_S,
        ]


#: What a session holds that does not exist.
NEW = b""


def test_a_late_copy_of_a_write_undoes_no_later_write(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster, Page(cluster) as first, Page(cluster) as second:
        assert first.start(0) == NEW
        first.write(0, b"one")
        assert second.start(1) == b"one"
        second.write(1, b"two")
        for node in (1, 2):
            first.write(node, b"one")
            assert values(cluster) == [b"two"] * 3
        for node in (0, 2):
            second.write(node, b"two")
            assert values(cluster) == [b"two"] * 3


def test_a_late_copy_of_a_release_frees_nobody_elses_lock(tmp_path: Path) -> None:
    with (
        Cluster(3, tmp_path) as cluster,
        Page(cluster) as first,
        Page(cluster) as second,
        Page(cluster) as third,
    ):
        assert first.start(0) == NEW
        first.write(0, b"one")
        assert second.start(1) == b"one"
        for node in (1, 2):
            first.write(node, b"one")
            assert [third.start(at) for at in range(3)] == [None] * 3
        second.write(2, b"two")
        assert third.start(0) is None, "the release that counts is the one over the connection with the lock"
        second.write(1, b"two")
        assert third.start(0) == b"two"
        second.write(0, b"two")
        assert second.start(1) is None


def test_a_value_that_returns_is_a_new_write(tmp_path: Path) -> None:
    """A session that is changed and changed back is not taken for a late copy of its first state."""
    with Cluster(3, tmp_path) as cluster, ExitStack() as stack:
        pages = [stack.enter_context(Page(cluster)) for _ in range(3)]
        for page, value in zip(pages, (b"one", b"two", b"one"), strict=True):
            assert page.start(0) is not None
            page.write(0, value)
        for node in (1, 2):
            for page, value in zip(pages, (b"one", b"two", b"one"), strict=True):
                page.write(node, value)
                assert values(cluster) == [b"one"] * 3


def test_a_request_that_outlives_its_locks_node_can_finish(tmp_path: Path) -> None:
    """It does not know that the node with its lock is gone. Until it has written to the others nobody else
    works on the session, and then somebody can at once."""
    with Cluster(3, tmp_path) as cluster, Page(cluster) as page, Page(cluster) as later:
        assert page.start(0) == NEW
        cluster.kill(0)
        assert later.start(1) is None
        for node in (1, 2):
            page.write(node, b"one")
        assert later.start(2) == b"one"


def test_a_release_just_before_its_locks_node_dies_counts_after_all(tmp_path: Path) -> None:
    """PHP writes to all nodes at once, the dying one among them, and nothing comes after that."""
    with Cluster(3, tmp_path) as cluster, Page(cluster) as page, Page(cluster) as later:
        assert page.start(0) == NEW
        for node in (1, 2):
            page.write(node, b"one")
        cluster.kill(0)
        assert taken_by(later, 1) == b"one"


@pytest.mark.parametrize("lasts_s", [0.3, 1.0])
def test_a_release_while_its_locks_node_stands_still_counts(lasts_s: float, tmp_path: Path) -> None:
    """That node finds it in a socket and may not execute it; the others have had it from the same request."""
    with Cluster(3, tmp_path) as cluster, Page(cluster) as later:
        with Page(cluster) as page:
            assert page.start(0) == NEW
            others = [page.at(1), page.at(2)]
            cluster.freeze(0)
            for connection in (page.at(0), *others):
                connection.send(*page.writing(b"one"))
            pause(lasts_s)
            cluster.thaw(0)
            for connection in others:
                assert [connection.reply(), connection.reply()] == [b"STORED"] * 2
        cluster.wait_healed()
        assert taken_by(later, 1) == b"one"


@pytest.mark.parametrize("patient", [False, True])
def test_what_lay_in_a_frozen_nodes_sockets_is_not_executed(patient: bool, tmp_path: Path) -> None:
    """Of a client that has hung up meanwhile, and of one that still waits."""
    with Cluster(3, tmp_path) as cluster, Page(cluster) as page, Page(cluster) as stuck, Page(cluster) as later:
        assert page.start(0) == NEW
        page.write(0, b"old")
        connections = [stuck.at(0), page.at(0)]
        cluster.freeze(0)
        stuck.at(0).send(*stuck.starting())
        page.at(0).send(*page.writing(b"older"))
        if not patient:
            for connection in connections:
                connection.close()
        assert later.start(1) == b"old"
        later.write(1, b"new")
        later.write(2, b"new")
        cluster.thaw(0)
        cluster.wait_healed()
        assert values(cluster) == [b"new"] * 3
        with Page(cluster) as last:
            assert last.start(2) == b"new"


def test_a_node_that_stops_for_a_moment_holds_up_the_others_no_longer(tmp_path: Path) -> None:
    """If they close their clients' connections PHP has no node left that it has not seen fail."""
    with Cluster(3, tmp_path) as cluster:
        for stop, lasts_s in enumerate(SHORT_STOPS_S):
            stopped = stop % cluster.count
            with Page(cluster) as page:
                others = [page.at(node) for node in range(cluster.count) if node != stopped]
                cluster.freeze(stopped)
                for connection in others:
                    connection.send(b"set S 0 0 3\r\nnew")
                pause(lasts_s)
                cluster.thaw(stopped)
                replies = [connection.reply() for connection in others]
                assert replies == [b"STORED"] * 2, f"node {stopped} stopped for {lasts_s} s"
            cluster.wait_healed()


def taken_by(page: Page, node: int) -> bytes:
    """What the session holds, once this page has its lock, which is long before the lock's timeout."""
    found: list[bytes] = []

    def granted() -> bool:
        value = page.start(node)
        found.extend([] if value is None else [value])
        return bool(found)

    until(granted, LOCK_TIMEOUT_S / 5, "the lock is free")
    return found[0]


def values(cluster: Cluster) -> list[bytes]:
    """What each node holds for the session."""
    return [cluster.stored(i, "S").split(b"\r\n")[1] for i in range(cluster.count)]


def test_a_lock_that_is_taken_again_lasts_its_full_timeout(tmp_path: Path) -> None:
    """A release leaves an entry that ends in its turn; the next lock, taken by `incr`, must not end with it."""
    with Cluster(3, tmp_path) as cluster, Page(cluster) as holder, Page(cluster) as rival:
        takes = [b"incr S.lock 1", b"add S.lock 768 3 1\r\n1", b"get S"]
        assert holder.at(0).ask(*takes)[1] == b"STORED"
        assert holder.at(0).ask(b"set S 0 0 3\r\none", b"set S.lock 768 3 1\r\n0") == [b"STORED"] * 2
        pause(2)
        assert holder.at(0).ask(*takes) == [b"1", b"NOT_STORED", b"one"]
        pause(2)
        incremented, added = rival.at(1).ask(b"incr S.lock 1", b"add S.lock 768 3 1\r\n1")
        assert incremented.isdigit()
        assert int(incremented) > 1
        assert added == b"NOT_STORED"
