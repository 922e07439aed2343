"""Names: all addresses of a host are called in turn, and a resolver that hangs holds nobody up."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from memrep.addresses import Address
from memrep.daemon import names
from memrep.daemon.names import REFUSES, SILENT, Call, Endpoint, Whereabouts, look_up, source_towards


def _at(host: str, port: int) -> Endpoint:
    return look_up(host, port)[0]


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which somebody listens at 127.0.0.2, and nobody at the rest of loopback."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.2", 0))
        sock.listen()
        yield sock.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[Endpoint]:
    """An endpoint that answers nobody: its queue of those who wait to be accepted is full."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.3", 0))
        sock.listen(0)
        where = sock.getsockname()
        waiting = []
        for _ in range(4):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(where)
            waiting.append(caller)
        yield Endpoint(socket.AF_INET, where)
        for caller in waiting:
            caller.close()


def _call(endpoints: list[Endpoint], first: Endpoint | None = None) -> tuple[Call, list[Endpoint], bool, float]:
    refused: list[Endpoint] = []
    call = Call(first, [], refused.append)
    times: list[float] = []

    async def connect() -> bool:
        began = trio.current_time()
        sock = await call.connect(endpoints)
        times.append(trio.current_time() - began)
        if sock is None:
            return False
        assert not sock.getblocking()
        sock.close()
        return True

    done = trio.run(connect)
    return call, refused, done, times[0]


def test_who_is_not_at_the_first_address_is_found_at_the_next(port: int) -> None:
    wrong, right = _at("127.0.0.1", port), _at("127.0.0.2", port)
    call, refused, done, _ = _call([wrong, right])
    assert done
    assert call.endpoint == right
    assert refused == [wrong]


def test_an_address_that_is_silent_does_not_hold_up_the_next_one(port: int, silent: Endpoint) -> None:
    call, _, done, seconds = _call([silent, _at("127.0.0.2", port)])
    assert done
    assert call.endpoint == _at("127.0.0.2", port)
    assert seconds < 0.45, "the next one is called while the first is silent"


def test_where_a_host_answered_last_it_is_called_first(port: int) -> None:
    wrong, right = _at("127.0.0.1", port), _at("127.0.0.2", port)
    call, refused, done, _ = _call([wrong, right], first=right)
    assert done
    assert call.endpoint == right
    assert refused == []


def test_what_has_become_of_each_address_is_told_in_the_order_of_the_resolver(
    port: int, silent: Endpoint
) -> None:
    wrong = _at("127.0.0.1", port)
    call, refused, done, _ = _call([silent, wrong], first=wrong)
    assert not done
    assert call.outcomes == [(silent, SILENT), (wrong, REFUSES)]
    assert refused == [wrong]


def test_a_host_without_any_address_is_no_fault() -> None:
    call, refused, done, _ = _call([])
    assert (call.outcomes, refused, done) == ([], [], False)


# --- where a peer lives


class Found:
    """A resolver: what it says of a name in the end, and how long it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer: list[str] | Exception = []
        self.hangs = False
        self.running = self.most = 0
        monkeypatch.setattr(trio.socket, "getaddrinfo", self)

    async def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.hangs:
                await trio.sleep_forever()
            if isinstance(self.answer, Exception):
                raise self.answer
            return [(2, 1, 6, "", (one, port)) for one in self.answer]
        finally:
            self.running -= 1


def test_a_name_is_looked_up_for_each_attempt_and_known_by_its_last_addresses_while_the_resolver_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = Found(monkeypatch)
    told: list[list[str]] = []

    def found(hosts: Iterable[str]) -> None:
        told.append(list(hosts))

    async def story() -> None:
        where = Whereabouts(Address("web2", 11211), found)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(where.keep)
            resolver.answer = socket.gaierror(-2, "Name or service not known")
            assert await where.ask() == []
            assert where.why([]) == (
                "web2 stands for no address on this machine (Name or service not known); correct /etc/hosts or "
                "DNS here, or write its address into --nodes"
            )
            resolver.answer = ["10.0.0.2", "10.0.0.22", "10.0.0.2"]
            assert [one.host for one in await where.ask()] == ["10.0.0.2", "10.0.0.22"]
            resolver.answer = ["10.0.0.3"]
            assert [one.host for one in await where.ask()] == ["10.0.0.3"]
            resolver.hangs = True
            for _ in range(20):
                began = trio.current_time()
                assert [one.host for one in await where.ask()] == ["10.0.0.3"]
                assert trio.current_time() - began < 0.11
            assert resolver.most == 1
            nursery.cancel_scope.cancel()

    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))
    assert told == [[], ["10.0.0.2", "10.0.0.22"], ["10.0.0.3"]]


def test_the_reason_names_each_address_that_was_tried_but_not_one_that_is_in_the_list_anyway() -> None:
    two, three = Endpoint(2, ("10.0.0.2", 21211)), Endpoint(10, ("fd00::2", 21211, 0, 0))
    where = Whereabouts(Address("web2", 11211), lambda hosts: None)
    assert where.why([(two, REFUSES), (three, SILENT)]) == (
        "10.0.0.2: its port refuses, fd00::2: it does not answer"
    )
    literal = Whereabouts(Address("10.0.0.2", 11211), lambda hosts: None)
    assert literal.why([(two, REFUSES)]) == "its port refuses"


# --- from where to call


def test_one_address_of_its_own_is_what_a_node_calls_from() -> None:
    own = [_at("127.0.0.5", 0), _at("::1", 0)]
    assert source_towards(_at("127.0.0.2", 11211), own) == own[0]
    assert source_towards(_at("fd00::2", 11211), own) == own[1]
    assert source_towards(_at("fd00::2", 11211), own[:1]) is None


def test_of_several_addresses_the_kernel_chooses_if_its_choice_is_known_to_the_others() -> None:
    known = [_at("127.0.0.5", 0), _at("127.0.0.1", 0)]
    assert source_towards(_at("127.0.0.1", 11211), known) is None
    assert source_towards(_at("127.0.0.1", 11211), [_at("127.0.0.5", 0), _at("127.0.0.6", 0)]) == known[0]


def test_the_stagger_and_the_time_for_a_call_fit_into_the_failure_timeout() -> None:
    assert names._STAGGERS_S < names._CONNECT_S < 0.6
    assert names._KNOWN_S + names._CONNECT_S <= 0.6
