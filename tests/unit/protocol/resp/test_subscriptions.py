"""What is published reaches a mailbox once for each subscription, and no mailbox grows for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memrep.flow_control import FlowControl
from memrep.protocol.replies import OUTPUT_MAX
from memrep.protocol.resp.arguments import CommandError
from memrep.protocol.resp.glob import PATTERN_MAX
from memrep.protocol.resp.spelling import SPELLINGS, Resp2
from memrep.protocol.resp.subscriptions import (
    MAILBOX_MAX,
    NAME_BYTES,
    NAMES_MAX,
    Subscriber,
    Subscriptions,
)


class _Line:
    def __init__(self) -> None:
        self.flow = FlowControl(memory=1 << 40)
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


class _Client:
    def __init__(self, subscriptions: Subscriptions, version: int = 2) -> None:
        self.line = _Line()
        self.subscriber = Subscriber(self.line)
        self.say: Resp2 = SPELLINGS[version]
        self.hung_up = False
        self._subscriptions = subscriptions

    def hang_up(self) -> None:
        self.hung_up = True
        self._subscriptions.drop(self)


@pytest.fixture
def subscriptions() -> Subscriptions:
    return Subscriptions()


@pytest.fixture
def client_of(subscriptions: Subscriptions) -> Callable[..., _Client]:
    return lambda version=2: _Client(subscriptions, version)


ClientOf = Callable[..., _Client]


def test_a_message_goes_to_each_subscription_and_is_spelled_as_its_client_wants(
    subscriptions: Subscriptions, client_of: ClientOf
) -> None:
    two, three, other = client_of(2), client_of(3), client_of()
    subscriptions.subscribe(two, b"news")
    subscriptions.subscribe(three, b"news")
    subscriptions.subscribe_to_pattern(three, b"n*")
    subscriptions.subscribe(other, b"olds")
    assert subscriptions.publish(b"news", b"x") == 3
    assert list(two.subscriber.take()) == [b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n"]
    assert list(three.subscriber.take()) == [
        b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n",
        b">4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$1\r\nx\r\n",
    ]
    assert list(other.subscriber.take()) == []


def test_who_has_unsubscribed_or_gone_is_told_nothing_and_leaves_nothing(
    subscriptions: Subscriptions, client_of: ClientOf
) -> None:
    one, two = client_of(), client_of()
    for client in (one, two):
        subscriptions.subscribe(client, b"a")
        subscriptions.subscribe_to_pattern(client, b"*")
    subscriptions.unsubscribe(one, b"a")
    subscriptions.unsubscribe(one, b"unknown")
    subscriptions.unsubscribe_from_pattern(one, b"*")
    assert subscriptions.publish(b"a", b"x") == 2
    subscriptions.drop(two)
    assert subscriptions.publish(b"a", b"x") == 0
    assert (list(subscriptions.channels()), subscriptions.patterns, subscriptions.number_of(b"a")) == ([], 0, 0)
    assert two.line.flow.unsent == 0


def test_a_subscription_counts_once(subscriptions: Subscriptions, client_of: ClientOf) -> None:
    client = client_of()
    assert subscriptions.subscribe(client, b"a") and subscriptions.subscribe(client, b"a")
    assert len(client.subscriber) == 1
    assert subscriptions.publish(b"a", b"x") == 1


def test_names_are_bounded_and_given_back(subscriptions: Subscriptions, client_of: ClientOf) -> None:
    client = client_of()
    pattern = b"?" * PATTERN_MAX
    large = b"x" * (NAMES_MAX - PATTERN_MAX - 2 * NAME_BYTES)
    assert subscriptions.subscribe_to_pattern(client, pattern)
    assert subscriptions.subscribe(client, large)
    assert not subscriptions.subscribe(client, b"one more")
    assert not subscriptions.subscribe_to_pattern(client, b"one more")
    subscriptions.unsubscribe_from_pattern(client, pattern)
    assert subscriptions.subscribe(client, b"one more")


def test_a_pattern_that_is_too_long_is_the_subscribers_fault_and_no_publishers(
    subscriptions: Subscriptions, client_of: ClientOf
) -> None:
    with pytest.raises(CommandError, match="too long"):
        subscriptions.subscribe_to_pattern(client_of(), b"?" * (PATTERN_MAX + 1))
    assert subscriptions.publish(b"a", b"x") == 0


def test_who_does_not_read_is_hung_up_on_when_its_mailbox_is_full_and_no_one_else(
    subscriptions: Subscriptions, client_of: ClientOf
) -> None:
    deaf, reader = client_of(), client_of()
    for client in (deaf, reader):
        subscriptions.subscribe(client, b"a")
    text = b"x" * (MAILBOX_MAX // 4)
    told = []
    for _ in range(5):
        told.append(subscriptions.publish(b"a", text))
        while reader.subscriber.take():
            pass
    assert told == [2, 2, 2, 1, 1]
    assert deaf.hung_up and not reader.hung_up
    assert deaf.line.flow.unsent == 0 and not deaf.subscriber


def test_one_message_may_be_larger_than_a_mailbox(subscriptions: Subscriptions, client_of: ClientOf) -> None:
    client = client_of()
    subscriptions.subscribe(client, b"a")
    assert subscriptions.publish(b"a", b"x" * (MAILBOX_MAX + 1)) == 1
    assert subscriptions.publish(b"a", b"x") == 0
    assert client.hung_up


def test_what_lies_in_a_mailbox_counts_as_unsent(subscriptions: Subscriptions, client_of: ClientOf) -> None:
    client = client_of()
    subscriptions.subscribe(client, b"a")
    subscriptions.publish(b"a", b"x" * 1000)
    assert client.line.flow.unsent >= 1000
    client.subscriber.take()
    assert client.line.flow.unsent == 0


def test_the_next_piece_is_taken_when_the_one_before_has_been_sent(
    subscriptions: Subscriptions, client_of: ClientOf
) -> None:
    client = client_of()
    subscriptions.subscribe(client, b"a")
    for _ in range(3):
        subscriptions.publish(b"a", b"x" * (OUTPUT_MAX // 2))
    assert len(client.subscriber.take()) == 2
    woken = client.line.woken
    subscriptions.publish(b"a", b"x")
    assert client.line.woken == woken, "the shell comes back by itself when it has sent"
    assert client.subscriber.waits
    assert len(client.subscriber.take()) == 2
    assert client.subscriber.waits, "the last piece may be unsent"
    assert not client.subscriber.take() and not client.subscriber.waits
