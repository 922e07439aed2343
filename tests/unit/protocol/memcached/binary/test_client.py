"""A client of packets: what its extras say, and when it has to show a password."""

from __future__ import annotations

import pytest

from memrep.protocol.dialect import ServerContext
from memrep.protocol.memcached.binary.client import BinaryClient, exptime_of
from memrep.protocol.users import Users
from tests.harness.engine_fixture import Rig
from tests.unit.protocol.memcached.text.test_commands import connection_to


def _client(users: Users | None = None) -> BinaryClient:
    rig = Rig()
    connection = connection_to(rig.engine)
    context = ServerContext(
        version=b"1",
        reports={},
        reset=lambda: None,
        set_verbosity=lambda level: None,
        shutdown=None,
        users=users,
    )
    return BinaryClient(connection, rig.engine, rig.engine, context)


def test_a_login_is_asked_for_only_where_there_are_users() -> None:
    assert _client().login is None
    login = _client(Users({b"user": b"secret"})).login
    assert login is not None and not login.admitted


@pytest.mark.parametrize(("extras", "exptime"), [(b"", 0), (b"\0\0\0\x3c", 60), (b"\xff" * 4, 0xFFFFFFFF)])
def test_an_exptime_has_no_sign_and_may_be_left_out(extras: bytes, exptime: int) -> None:
    assert exptime_of(extras) == exptime
