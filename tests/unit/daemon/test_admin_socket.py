"""Where the admin socket is, who may come, and that nothing of anybody else's is taken away for it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from memrep.addresses import Address
from memrep.daemon.admin_socket import AdminPath, AdminSocket, find_admin_path
from memrep.errors import UsageError

ME = Address("10.1.1.1", 11211)


@pytest.fixture(autouse=True)
def _outside_of_any_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def had(where: AdminPath) -> Iterator[AdminSocket]:
    one = AdminSocket(where)
    try:
        yield one
    finally:
        one.close()


def named(path: Path) -> AdminPath:
    return AdminPath(path=str(path), mode=0o600, named=True, own_directory=False)


def private(path: Path) -> AdminPath:
    return AdminPath(path=str(path), mode=0o600, named=False, own_directory=True)


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# --- where


def test_under_systemd_it_is_in_the_services_directory_and_open_to_its_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/memrep:/run/other")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    where = find_admin_path(None, ME)
    assert where == AdminPath(path="/run/memrep/admin.sock", mode=0o660, named=False, own_directory=False)


def test_elsewhere_it_is_in_a_directory_of_this_users_and_for_him_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = find_admin_path(None, ME)
    assert where == private(Path(f"/tmp/memrep-{os.geteuid()}/10.1.1.1_11211.sock"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    where = find_admin_path(None, Address("fd00::1", 11211))
    assert where == private(Path("/run/user/1000/memrep/fd00::1_11211.sock"))


def test_a_host_of_any_spelling_makes_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    where = find_admin_path(None, Address("../../etc", 1))
    assert where is not None and Path(where.path).parent == Path(f"/tmp/memrep-{os.geteuid()}")


@pytest.mark.parametrize("off", ["none", ""])
def test_it_can_be_switched_off(off: str) -> None:
    assert find_admin_path(off, ME) is None
    nothing = AdminSocket(None)
    assert (nothing.sock, nothing.warning) == (None, None)
    nothing.close()


def test_what_the_operator_names_counts_and_under_systemd_its_group_may_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert find_admin_path("/srv/admin.sock", ME) == named(Path("/srv/admin.sock"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/memrep")
    assert find_admin_path("/srv/admin.sock", ME) == attrs.evolve(named(Path("/srv/admin.sock")), mode=0o660)


# --- that it listens


@pytest.mark.parametrize("mode", [0o600, 0o660])
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_it_listens_at_once_and_its_file_has_just_this_mode_whatever_the_umask(
    tmp_path: Path, mode: int, umask: int
) -> None:
    path = tmp_path / "admin.sock"
    before = os.umask(umask)
    try:
        with had(attrs.evolve(named(path), mode=mode)) as one:
            assert os.umask(umask) == umask
            assert answers(path)
            assert mode_of(path) == mode
            assert (str(one), one.warning) == (str(path), None)
    finally:
        os.umask(before)
    assert not path.exists()


def test_its_own_directory_is_made_for_this_user_alone_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "memrep" / "admin.sock"
    for _ in range(2):
        with had(private(path)):
            assert answers(path)
            assert mode_of(path.parent) == 0o700
            assert mode_of(path) == 0o600


# --- what is there already


def _left_behind(path: Path) -> None:
    """What a killed process leaves."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()


def test_a_file_that_a_killed_process_has_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    _left_behind(path)
    assert not answers(path)
    with had(named(path)):
        assert answers(path)


def test_a_file_at_which_a_process_answers_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with had(private(path)):
        with pytest.raises(
            UsageError, match=r"admin\.sock: another process answers there; stop it first, or cho"
        ):
            AdminSocket(named(path))
        with had(private(path)) as second:
            assert second.sock is None
            assert str(second.warning).startswith("no admin socket: --admin ")
            assert "another process answers there" in str(second.warning)
        assert answers(path)


def test_a_process_that_is_too_busy_to_accept_is_alive_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waits:
        busy.bind(str(path))
        busy.listen(0)
        waits.connect(str(path))
        with pytest.raises(UsageError, match="another process answers there"):
            AdminSocket(named(path))


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "admin.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        _left_behind(tmp_path / "other")
        path.symlink_to(tmp_path / "other")
    with pytest.raises(UsageError, match=r"admin\.sock is there, and no socket; choose another path"):
        AdminSocket(named(path))
    with had(private(path)) as nothing:
        assert nothing.sock is None and "and no socket" in str(nothing.warning)
    assert (path.exists() and not path.is_socket()) or path.is_symlink()


def test_a_file_that_is_another_ones_by_now_is_not_taken_away_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    first = AdminSocket(named(path))
    path.rename(tmp_path / "elsewhere")
    with had(named(path)):
        first.close()
        assert answers(path)


def test_a_file_that_is_gone_at_the_end_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    one = AdminSocket(named(path))
    path.unlink()
    one.close()
    one.close()


@pytest.mark.parametrize("spoiled", ["writable", "foreign", "link", "file"])
def test_a_directory_that_is_not_this_users_alone_is_not_used(
    tmp_path: Path, spoiled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "memrep"
    if spoiled == "file":
        directory.touch()
    elif spoiled == "link":
        (tmp_path / "other").mkdir(mode=0o700)
        directory.symlink_to(tmp_path / "other")
    else:
        directory.mkdir(mode=0o700)
    if spoiled == "writable":
        directory.chmod(0o722)
    if spoiled == "foreign":
        monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    with had(private(directory / "admin.sock")) as one:
        assert one.sock is None
        assert f"{directory} must be a directory of this user's in which nobody else can write" in str(
            one.warning
        )
    assert not (directory / "admin.sock").exists()


def test_a_directory_that_is_missing_is_missed_where_the_operator_has_named_it(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "admin.sock"
    with pytest.raises(
        UsageError, match=r"--admin .*sock: No such file or directory; its directory must exist"
    ):
        AdminSocket(named(path))
    with had(private(tmp_path / "missing" / "memrep" / "admin.sock")) as nothing:
        assert nothing.sock is None and "No such file or directory" in str(nothing.warning)


def test_a_path_that_is_too_long_is_said_in_words(tmp_path: Path) -> None:
    longest = tmp_path / ("x" * (107 - len(f"{tmp_path}/")))
    with had(named(longest)):
        assert answers(longest)
    with pytest.raises(
        UsageError, match="a unix socket's path has 107 bytes at most, this one has 108; choose"
    ):
        AdminSocket(named(Path(f"{longest}x")))


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="is no path of a file"):
        AdminSocket(named(Path("\0memrep")))


def test_a_system_that_gives_no_socket_is_reason_to_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("socket.socket", refuse)
    assert "Too many open files" in str(AdminSocket(private(tmp_path / "memrep" / "admin.sock")).warning)
