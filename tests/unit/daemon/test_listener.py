"""A bound address listens and refuses when told to and is kept meanwhile; a door lets in whom it can."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from memrep.daemon.guard import Troubles
from memrep.daemon.listener import Door, Listener
from memrep.daemon.reactor import READ, Handler
from tests.real.processes import HOST, PortLease


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A port on loopback, by its number: one that the kernel has chosen it takes back with the first `shut`."""
    lease = PortLease(1)
    listener = Listener(socket.AF_INET, (HOST, lease.ports[0]))
    yield listener
    listener.close()
    lease.close()


def _address(listener: Listener) -> tuple[str, int]:
    host, _, port = str(listener).rpartition(":")
    return host, int(port)


def _refuses(listener: Listener) -> bool:
    try:
        socket.create_connection(_address(listener), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


# --- ports


def test_a_port_refuses_until_it_listens_and_again_when_it_is_shut_as_often_as_one_likes(
    listener: Listener,
) -> None:
    assert _refuses(listener)
    for _ in range(3):
        listener.listen()
        assert not _refuses(listener)
        listener.shut()
        assert _refuses(listener)


def test_a_port_is_kept_while_it_is_shut_and_given_up_when_it_is_closed(listener: Listener) -> None:
    address = _address(listener)
    listener.listen()
    listener.shut()
    assert listener.sock is not None and listener.sock.getsockname() == address
    with socket.socket() as rival, pytest.raises(OSError):
        rival.bind(address)
    listener.close()
    assert listener.sock is None
    Listener(socket.AF_INET, address).close()


def test_who_waits_to_be_accepted_hears_an_end_when_the_port_is_shut(listener: Listener) -> None:
    listener.listen()
    with socket.create_connection(_address(listener), timeout=5) as waits:
        listener.shut()
        data = b""
        with suppress(ConnectionResetError):
            data = waits.recv(1)
        assert data == b""


FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")]


@pytest.mark.parametrize(("family", "host"), FAMILIES)
def test_a_port_can_refuse_all_but_those_who_have_come_and_listen_again_later(family: int, host: str) -> None:
    lease = PortLease(1)
    try:
        listener = Listener(family, (host, lease.ports[0]))
    except OSError:
        pytest.skip(f"{host} is no address of this machine")
    address = (HOST if host == "::" else host, lease.ports[0])
    sock = listener.listen()
    with socket.create_connection(address, timeout=5) as waits:
        listener.refuse_more()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        waits.sendall(b"mn\r\n")
        accepted, _ = sock.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(100) == b"mn\r\n"
            accepted.sendall(b"MN\r\n")
            assert waits.recv(100) == b"MN\r\n"
        with pytest.raises(BlockingIOError):
            sock.accept()
        listener.shut()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
    for _ in range(2):
        listener.listen()
        socket.create_connection(address, timeout=5).close()
        listener.shut()
        assert listener.sock is not None
    listener.close()
    lease.close()


def test_a_port_that_refuses_more_listens_again_though_nobody_has_shut_it(listener: Listener) -> None:
    """A node that is told to stop before it serves shuts nothing, and another one may take its place here."""
    listener.refuse_more()
    listener.listen()
    assert not _refuses(listener)


@pytest.mark.parametrize(
    ("family", "host", "spelled"),
    [(socket.AF_INET, "127.0.0.1", "127.0.0.1:"), (socket.AF_INET6, "::1", "[::1]:")],
)
def test_an_address_is_told_as_an_operator_writes_it(family: int, host: str, spelled: str) -> None:
    try:
        listener = Listener(family, (host, 0))
    except OSError:
        pytest.skip(f"{host} is no address of this machine")
    assert listener.sock is not None
    assert str(listener) == f"{spelled}{listener.sock.getsockname()[1]}"
    listener.close()


# --- unix sockets


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def test_a_unix_socket_refuses_by_its_file_at_which_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "memrep.sock"
    listener = Listener(socket.AF_UNIX, str(path))
    for _ in range(2):
        listener.listen()
        assert _answers(path)
        listener.shut()
        assert path.is_socket()
        assert not _answers(path)
    listener.close()
    assert not path.exists()


def test_a_unix_socket_can_refuse_all_but_those_who_have_come(tmp_path: Path) -> None:
    path = tmp_path / "memrep.sock"
    listener = Listener(socket.AF_UNIX, str(path))
    sock = listener.listen()
    with socket.socket(socket.AF_UNIX) as waits:
        waits.connect(str(path))
        listener.refuse_more()
        assert not _answers(path)
        waits.sendall(b"mn\r\n")
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.recv(100) == b"mn\r\n"
        with pytest.raises(BlockingIOError):
            sock.accept()
    listener.listen()
    assert _answers(path)
    listener.close()


def test_a_unix_socket_that_an_earlier_run_has_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "memrep.sock"
    with socket.socket(socket.AF_UNIX) as former:
        former.bind(str(path))
    listener = Listener(socket.AF_UNIX, str(path))
    listener.listen()
    assert _answers(path)
    listener.close()


def test_a_file_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "memrep.sock"
    path.write_text("precious")
    with pytest.raises(OSError):
        Listener(socket.AF_UNIX, str(path))
    assert path.read_text() == "precious"


def test_a_unix_socket_whose_folder_is_gone_listens_when_that_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    listener = Listener(socket.AF_UNIX, str(folder / "memrep.sock"))
    listener.shut()
    (folder / "memrep.sock").unlink()
    folder.rmdir()
    with pytest.raises(OSError):
        listener.listen()
    folder.mkdir()
    listener.listen()
    assert _answers(folder / "memrep.sock")
    listener.close()


# --- doors


class _Reactor:
    """An epoll of which the test says when it wakes, and when the turn's time is up."""

    def __init__(self) -> None:
        self.handlers: dict[int, Handler] = {}
        self.no_time = False

    def register(self, fd: int, handler: Handler, events: int) -> None:
        self.handlers[fd] = handler

    def unregister(self, fd: int) -> None:
        del self.handlers[fd]

    def spent(self) -> bool:
        return self.no_time

    def wake(self) -> None:
        for handler in list(self.handlers.values()):
            handler.ready(READ)


class House:
    """A door at a port, and who has come in."""

    def __init__(self, listener: Listener) -> None:
        self.address = _address(listener)
        self.reactor = _Reactor()
        self.guests: list[tuple[socket.socket, str, int]] = []
        self.said: list[str] = []
        self.asked_for_room = 0
        self.unwelcome: set[int] = set()
        self.door = Door("guests", listener, self._receive, self._make_room, Troubles(self.said.append))
        self._knocking: list[socket.socket] = []

    def open(self) -> None:
        self.door.open(self.reactor)  # type: ignore[arg-type]

    def _receive(self, sock: socket.socket, host: str, port: int) -> None:
        if port in self.unwelcome:
            raise OSError("there is no room for what it takes")
        self.guests.append((sock, host, port))

    def _make_room(self) -> None:
        self.asked_for_room += 1

    def knock(self) -> socket.socket:
        sock = socket.create_connection(self.address, timeout=5)
        self._knocking.append(sock)
        return sock

    def close(self) -> None:
        for sock in self._knocking + [sock for sock, _, _ in self.guests]:
            sock.close()


@pytest.fixture
def house(listener: Listener) -> Iterator[House]:
    house = House(listener)
    yield house
    house.close()


@contextmanager
def _no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_everybody_who_waits_comes_in_at_once_with_his_address_and_never_blocks(house: House) -> None:
    house.open()
    knocking = [house.knock() for _ in range(10)]
    house.reactor.wake()
    assert [(host, port) for _, host, port in house.guests] == [sock.getsockname() for sock in knocking]
    assert not any(sock.getblocking() for sock, _, _ in house.guests)
    house.reactor.wake()  # for nothing
    assert len(house.guests) == 10


def test_when_the_turns_time_is_up_the_rest_comes_in_in_the_next(house: House) -> None:
    house.open()
    house.reactor.no_time = True
    for _ in range(3):
        house.knock()
    for count in (1, 2, 3):
        house.reactor.wake()
        assert len(house.guests) == count


def test_who_cannot_be_served_is_hung_up_on_and_the_next_one_comes_in(house: House) -> None:
    house.open()
    one, other = house.knock(), house.knock()
    house.unwelcome.add(one.getsockname()[1])
    house.reactor.wake()
    assert one.recv(1) == b""
    assert [port for _, _, port in house.guests] == [other.getsockname()[1]]
    assert house.said == ["cannot serve guests: there is no room for what it takes"]


def test_a_door_without_descriptors_asks_for_room_and_rests_until_the_next_tick(house: House) -> None:
    """Who waits stays there: without the rest the loop would spin."""
    house.open()
    house.knock()
    with _no_descriptor_left():
        house.reactor.wake()
    assert (house.guests, house.reactor.handlers, house.asked_for_room) == ([], {}, 1)
    assert house.said == ["cannot accept guests: Too many open files"]
    assert house.door.sock is None
    house.door.tick()
    house.reactor.wake()
    assert len(house.guests) == 1


def test_a_shut_door_refuses_and_no_tick_opens_it(house: House, listener: Listener) -> None:
    house.open()
    assert not _refuses(listener)
    house.door.shut()
    house.door.tick()
    assert _refuses(listener)
    assert house.reactor.handlers == {}


def test_a_door_shuts_behind_the_last_who_has_come_whatever_time_that_takes(
    house: House, listener: Listener
) -> None:
    """They are connected, and go nowhere else: whoever is left behind fails a request."""
    house.open()
    house.reactor.no_time = True
    knocking = [house.knock() for _ in range(100)]
    house.unwelcome.add(knocking[0].getsockname()[1])
    house.door.shut(house.door.receive)
    assert [port for _, _, port in house.guests] == [sock.getsockname()[1] for sock in knocking[1:]]
    assert _refuses(listener)
    assert house.reactor.handlers == {}


def test_a_door_that_refuses_more_lets_in_who_has_come_and_wakes_nobody_for_the_others(
    house: House, listener: Listener
) -> None:
    house.open()
    house.reactor.no_time = True
    knocking = [house.knock() for _ in range(100)]
    house.door.refuse_more()
    house.door.tick()
    assert len(house.guests) == len(knocking)
    assert _refuses(listener)
    assert house.reactor.handlers == {}


def test_a_door_without_descriptors_tells_that_it_shuts_before_some_who_have_come(
    house: House, listener: Listener
) -> None:
    house.open()
    house.knock()
    with _no_descriptor_left():
        house.door.shut(house.door.receive)
    assert house.guests == []
    assert house.said == ["cannot accept guests: Too many open files"]
    assert _refuses(listener)


def test_a_door_that_never_opened_is_shut_without_a_word(house: House, listener: Listener) -> None:
    house.door.shut(house.door.receive)
    assert house.said == []
    assert _refuses(listener)


def test_a_door_that_cannot_open_tries_again_at_each_tick_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "memrep.sock"
    listener = Listener(socket.AF_UNIX, str(path))
    listener.shut()
    path.unlink()
    path.mkdir()
    reactor, said = _Reactor(), list[str]()
    door = Door("guests", listener, lambda *guest: None, lambda: None, Troubles(said.append))
    door.open(reactor)  # type: ignore[arg-type]
    assert said == ["cannot let in guests, tries again: Address already in use"]
    path.rmdir()
    door.tick()
    assert _answers(path)
    assert len(reactor.handlers) == 1
    listener.close()


def test_a_client_of_a_unix_socket_has_no_address(tmp_path: Path) -> None:
    path = tmp_path / "memrep.sock"
    listener = Listener(socket.AF_UNIX, str(path))
    guests: list[tuple[str, int]] = []

    def receive(sock: socket.socket, host: str, port: int) -> None:
        guests.append((host, port))
        sock.close()

    reactor = _Reactor()
    Door("guests", listener, receive, lambda: None, Troubles(pytest.fail)).open(reactor)  # type: ignore[arg-type]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        reactor.wake()
    assert guests == [("", 0)]
    listener.close()
