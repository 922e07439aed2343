"""Nobody is admitted by PLAIN without the password, for another user, or twice."""

from __future__ import annotations

import pytest

from memrep.protocol.memcached.binary.sasl import PlainLogin
from memrep.protocol.users import Users

RIGHT = b"\0user\0secret"


def _login() -> PlainLogin:
    return PlainLogin(Users({b"user": b"secret", b"": b""}))


def test_who_knows_the_password_is_admitted_once() -> None:
    login = _login()
    assert login.choose(b"plain")
    assert login.admit(RIGHT)
    assert login.admitted
    assert not login.choose(b"PLAIN")
    assert not login.admit(RIGHT)
    assert not login.admitted


@pytest.mark.parametrize(
    "message",
    [b"", b"user\0secret", b"\0user\0wrong", b"\0nobody\0secret", b"other\0user\0secret", RIGHT + b"\0"],
)
def test_any_other_message_admits_nobody_and_a_new_attempt_may(message: bytes) -> None:
    login = _login()
    login.choose(b"PLAIN")
    assert not login.admit(message)
    assert not login.admit(RIGHT), "the mechanism has to be chosen again"
    assert login.choose(b"PLAIN")
    assert login.admit(RIGHT)


def test_who_acts_for_itself_may_say_so() -> None:
    login = _login()
    login.choose(b"PLAIN")
    assert login.admit(b"user" + RIGHT)


@pytest.mark.parametrize("mechanism", [b"", b"CRAM-MD5", b"PLAINER"])
def test_another_mechanism_is_not_to_be_had(mechanism: bytes) -> None:
    login = _login()
    assert not login.choose(mechanism)
    assert not login.admit(RIGHT)


def test_who_begins_anew_is_not_admitted() -> None:
    login = _login()
    login.choose(b"PLAIN")
    login.admit(RIGHT)
    login.begin()
    assert not login.admitted
