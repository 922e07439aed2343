"""Who may come in: users and passwords, and what is said of a file that makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from memrep.daemon.private_files import read_auth_file
from memrep.errors import UsageError
from memrep.protocol.users import parse_users
from tests.harness.lone_node import lone_node

USERS = parse_users(b"user:secret\r\n\nother:pass:word", "users")


@pytest.mark.parametrize(
    ("user", "password", "admitted"),
    [
        (b"user", b"secret", True),
        (b"other", b"pass:word", True),
        (b"user", b"pass:word", False),
        (b"user", b"", False),
        (b"", b"", False),
        (b"nobody", b"secret", False),
        (b"nobody", b"", False),
    ],
)
def test_who_gives_his_own_password_is_admitted(user: bytes, password: bytes, admitted: bool) -> None:
    assert USERS.admit(user, password) is admitted


def test_passwords_are_not_shown_in_a_traceback() -> None:
    assert "secret" not in repr(USERS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "names no user; write a line user:password"),
        (b"user:secret\nuser", "line 2 is no user:password"),
        (b":secret", "line 1 is no user:password"),
        (b"user:", "line 1 is no user:password"),
    ],
)
def test_a_file_that_makes_no_sense_is_answered_by_its_line(text: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_users(text, "users")


def test_an_auth_file_is_for_memrep_alone(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_bytes(b"user:secret\n")
    path.chmod(0o600)
    assert read_auth_file(str(path)).admit(b"user", b"secret")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others may read or change it; `chmod 600"):
        read_auth_file(str(path))
    with pytest.raises(UsageError, match=r"--auth-file .*No such file"):
        read_auth_file(str(tmp_path / "none"))


def test_an_auth_file_of_unlikely_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_bytes(b"user:secret\n" * 1000)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="no list of users"):
        read_auth_file(str(path))


def test_stats_tell_how_often_somebody_gave_a_password_and_how_often_a_wrong_one() -> None:
    node = lone_node(users=parse_users(b"user:secret", "users"))
    client = node.connect()
    for password in (b"wrong", b"worse", b"secret"):
        client.receive(b"set x 0 0 %d\r\nuser %b\r\n" % (5 + len(password), password))
    lines = client.receive(b"stats\r\n")
    assert b"STAT auth_cmds 3\r\n" in lines
    assert b"STAT auth_errors 2\r\n" in lines
    assert b"STAT auth_enabled yes\r\n" in client.receive(b"stats settings\r\n")
