"""A place on this machine: it is had as a whole or not at all, and kept until it is given up."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from memrep.addresses import Address
from memrep.daemon.admin_socket import AdminPath
from memrep.daemon.options import ServeOptions
from memrep.daemon.place import SPARE_DESCRIPTORS, Place
from memrep.errors import UsageError
from tests.real.processes import HOST, PortLease, accepts
from tests.unit.daemon.served import refuses


def test_a_place_has_its_port_before_anybody_is_let_in_and_until_it_is_given_up(options: ServeOptions) -> None:
    place = Place.of(options)
    (listener,) = place.listeners
    assert refuses(options)
    assert listener.sock is not None and listener.sock.getsockname() == (HOST, options.port)
    assert place.links == []
    place.give_up()
    again = Place.of(options)
    again.give_up()
    assert again.listeners[0].sock is None


def _open_files() -> set[str]:
    """What this process has open."""
    fds = list(Path("/proc/self/fd").iterdir())
    return {str(fd.readlink()) for fd in fds if fd.is_symlink()}


def test_where_the_unix_socket_cannot_be_had_the_port_is_not_kept_either(
    options: ServeOptions, tmp_path: Path
) -> None:
    before = _open_files()
    nowhere = attrs.evolve(options, unix=str(tmp_path / "missing" / "memrep.sock"))
    with pytest.raises(
        UsageError, match=r"--unix .*missing/memrep\.sock: No such file or directory"
    ) as refused:
        Place.of(nowhere)
    assert _open_files() <= before, refused  # which keeps alive whatever was left open
    Place.of(options).give_up()


def test_where_the_nodes_port_cannot_be_had_neither_port_nor_unix_socket_is_kept(
    options: ServeOptions, tmp_path: Path
) -> None:
    path = tmp_path / "memrep.sock"
    others = [options.me, Address("192.0.2.1", 11211)]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after another test
        taken.bind((HOST, options.me.link_port))
        taken.listen()
        before = _open_files()
        with pytest.raises(UsageError, match="for the other nodes") as refused:
            Place.of(attrs.evolve(options, nodes=others, unix=str(path)))
        assert _open_files() <= before, refused
    assert not path.exists()


def test_more_clients_than_the_system_allows_descriptors_for_are_refused(
    options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda what: (256, 2_048))
    monkeypatch.setattr("resource.setrlimit", lambda what, limits: set_to.append(limits))
    most = 2_048 - SPARE_DESCRIPTORS
    Place.of(attrs.evolve(options, connections=most)).give_up()
    assert set_to == [(2_048, 2_048)]
    with pytest.raises(UsageError, match=f"-c {most + 1} needs 2049 file descriptors, the system allows 2048"):
        Place.of(attrs.evolve(options, connections=most + 1))


def _with_admin_socket(options: ServeOptions, path: Path, *, named: bool = True) -> ServeOptions:
    where = AdminPath(path=str(path), mode=0o600, named=named, own_directory=False)
    return attrs.evolve(options, admin=where)


def test_the_admin_socket_is_had_first_and_given_up_last(
    options: ServeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "admin.sock"
    seen: list[bool] = []

    def look(*given: object) -> list[object]:
        seen.append(path.is_socket())
        return []

    for name in ("bind_client_port", "sources_of_links", "close_all"):
        monkeypatch.setattr(f"memrep.daemon.place.{name}", look)
    Place.of(_with_admin_socket(options, path)).give_up()
    assert seen == [True, True, True]
    assert not path.exists()


def test_where_the_port_cannot_be_had_the_admin_socket_is_not_kept_either(
    options: ServeOptions, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after another test
        taken.bind((HOST, options.port))
        taken.listen()
        with pytest.raises(UsageError, match="for clients"):
            Place.of(_with_admin_socket(options, path))
    assert not path.exists()


def test_the_port_for_http_is_had_before_all_others_and_listens_until_it_is_given_up(
    options: ServeOptions,
) -> None:
    with closing(PortLease(1)) as lease:
        asked = attrs.evolve(options, http=Address(HOST, lease.ports[0]))
        place = Place.of(asked)
        assert accepts(lease.ports[0])
        with pytest.raises(
            UsageError, match=rf"^cannot listen on {HOST}:{lease.ports[0]} for HTTP: .*; see who"
        ):
            Place.of(asked)
        assert accepts(lease.ports[0])
        place.give_up()
        assert not accepts(lease.ports[0])
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after another test
            taken.bind((HOST, options.port))
            taken.listen()
            before = _open_files()
            with pytest.raises(UsageError, match="for clients") as refused:
                Place.of(asked)
            assert _open_files() <= before, refused


def test_an_admin_socket_that_cannot_be_had_is_a_mistake_only_where_somebody_has_named_it(
    options: ServeOptions, tmp_path: Path
) -> None:
    path = tmp_path / "missing" / "admin.sock"
    before = _open_files()
    with pytest.raises(UsageError, match=r"--admin .*No such file") as refused:
        Place.of(_with_admin_socket(options, path))
    assert _open_files() <= before, refused
    place = Place.of(_with_admin_socket(options, path, named=False))
    assert place.admin.sock is None
    assert "No such file" in str(place.admin.warning)
    place.give_up()
