"""An error of the operating system costs one socket, and the operator hears of each kind once a minute."""

from __future__ import annotations

import errno
import os
import socket
from types import SimpleNamespace

import pytest

from memrep.daemon import guard
from memrep.daemon.guard import Troubles, guarded, hang_up, in_words, remedy


class Told:
    """What the operator has been told, and a clock that the test moves."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 1_000.0
        self.troubles = Troubles(self.lines.append)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(guard, "time", SimpleNamespace(monotonic=lambda: told.now))
    return told


def test_the_same_trouble_is_told_once_a_minute_with_how_often_it_was_met_meanwhile(told: Told) -> None:
    for _ in range(1_000):
        told.troubles.tell("cannot accept", OSError(errno.EMFILE, "Too many open files"))
    assert told.lines == ["cannot accept: Too many open files"]
    told.now += 59.9
    told.troubles.tell("cannot accept", "Too many open files")
    assert len(told.lines) == 1
    told.now += 0.2
    told.troubles.tell("cannot accept", "Too many open files")
    assert told.lines[1:] == ["cannot accept: Too many open files (1000 more times since it was last said)"]
    told.now += 61
    told.troubles.tell("cannot accept", "Too many open files")
    assert told.lines[2:] == ["cannot accept: Too many open files"]


def test_another_kind_or_another_reason_is_told_at_once(told: Told) -> None:
    told.troubles.tell("cannot accept", "no memory")
    told.troubles.tell("cannot serve", "no memory")
    told.troubles.tell("cannot accept", "Too many open files")
    assert len(told.lines) == 3


class Owner:
    """Somebody with a socket, whose handler fails in this way."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.seen: list[int] = []
        self.lost: list[OSError] = []

    @guarded
    def ready(self, events: int) -> None:
        self.seen.append(events)
        if self.error is not None:
            raise self.error

    def broken(self, error: OSError) -> None:
        self.lost.append(error)


def test_an_error_of_the_system_is_its_owners_affair_alone() -> None:
    error = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    owner, other = Owner(error), Owner(None)
    owner.ready(1)
    other.ready(4)
    assert (owner.seen, owner.lost) == ([1], [error])
    assert (other.seen, other.lost) == ([4], [])


@pytest.mark.parametrize("error", [MemoryError(), ValueError("a fault of our own")])
def test_what_is_no_error_of_the_system_is_not_hidden(error: Exception) -> None:
    owner = Owner(error)
    with pytest.raises(type(error)):
        owner.ready(1)
    assert owner.lost == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (OSError(errno.ENOBUFS, "No buffer space available"), "No buffer space available"),
        (OSError("no number"), "no number"),
        (OSError(), "OSError()"),
        (MemoryError(), "no memory"),
        ("it does not answer", "it does not answer"),
        (ValueError("x"), "ValueError('x')"),
    ],
)
def test_every_reason_has_words(reason: object, words: str) -> None:
    assert in_words(reason) == words


@pytest.mark.parametrize("error", [OSError(), OSError(errno.EIO, "Input/output error"), MemoryError()])
def test_there_is_a_remedy_for_whatever_goes_wrong_at_the_start(error: OSError | MemoryError) -> None:
    assert remedy(error)


def test_want_of_memory_has_one_remedy_however_it_shows() -> None:
    assert remedy(MemoryError()) == remedy(OSError(errno.ENOMEM, "")) != remedy(OSError(errno.EIO, ""))


def test_a_socket_is_closed_whatever_the_kernel_has_to_say_to_that() -> None:
    one, other = socket.socketpair()
    with other:
        os.close(one.fileno())
        hang_up(one)
        assert one.fileno() == -1
        assert other.recv(1) == b""
