"""The load: a pace that a slow server does not slow down, and answers that are looked at."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench.load import Load, run
from bench.loading import loading, outcome
from bench.peers import Servers

Answer = Callable[[bytes], bytes]


def _right(request: bytes) -> bytes:
    if request.startswith(b"set"):
        return b"STORED\r\n"
    return b"VALUE load0 0 3\r\nxxx\r\nEND\r\n"


@contextmanager
def _server(answer: Answer) -> Iterator[tuple[int, list[bytes]]]:
    """A server for one connection: its port, and the requests that came."""
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            while request := client.recv(1 << 16):
                asked.append(request)
                client.sendall(answer(request))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1], asked
        thread.join()


def _load(what: str, seconds: float, rate: int) -> Load:
    return Load(what, seconds, rate, connections=1, size=3)


def test_a_paced_load_sends_no_more_than_are_due() -> None:
    with _server(_right) as (port, asked):
        done = run(_load("get", 0.2, 100), [port])
    assert 1 <= done.requests + done.missed <= 21
    assert len(asked) == 1 + done.requests, "one set before, and every get"


def test_what_a_slow_server_kept_waiting_waited_since_it_was_due_or_was_missed() -> None:
    """It answers each after 50 ms, and every 10 ms one is due."""
    slowly = threading.Event()

    def answer(request: bytes) -> bytes:
        slowly.wait(0.05)
        return _right(request)

    with _server(answer) as (port, _):
        done = run(_load("get", 0.3, 100), [port])
    assert done.requests <= 7, "one after the other"
    assert done.missed
    assert done.slowest_us > 50_000, "more than it takes to answer"


def test_who_is_hung_up_on_comes_again_and_repeats_its_request() -> None:
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            client, _ = listener.accept()
            with client:
                while request := client.recv(1 << 16):
                    asked.append(request)
                    if len(asked) == 3:
                        break
                    client.sendall(_right(request))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        done = run(_load("get", 0.2, 100), [listener.getsockname()[1]])
        thread.join()
    assert done.reconnects == 1
    assert len(asked) == 1 + done.requests + 1, "a set, every get, and one of them again"


def test_gets_and_sets_take_turns_in_a_mixed_load() -> None:
    with _server(_right) as (port, asked):
        run(_load("mixed", 0.1, 100), [port])
    kinds = [request[:3] for request in asked[1:]]
    assert kinds == [b"set", b"get"] * (len(kinds) // 2) + [b"set"] * (len(kinds) % 2)


@pytest.mark.parametrize("answer", [b"SERVED\r\n", b"ERROR\r\n", b"STORED\r\nSTORED\r\n"])
def test_a_wrong_answer_ends_the_run(answer: bytes) -> None:
    with (
        _server(lambda request: answer) as (port, _),
        pytest.raises(AssertionError, match="wrong answer"),
    ):
        run(_load("set", 0.1, 0), [port])


def _missing(request: bytes) -> bytes:
    return b"STORED\r\n" if request.startswith(b"set") else b"END\r\n"


def test_a_miss_is_a_wrong_answer() -> None:
    with _server(_missing) as (port, _), pytest.raises(AssertionError, match="wrong answer"):
        run(_load("get", 0.1, 0), [port])


def test_where_others_fill_the_server_a_miss_is_an_answer() -> None:
    with _server(_missing) as (port, asked):
        done = run(Load("get", 0.1, 100, connections=1, size=3, evicted=True), [port])
    assert done.requests == len(asked) - 1 >= 1


def test_a_load_that_is_ended_as_soon_as_it_has_begun_tells_what_came_until_then() -> None:
    with _server(_right) as (port, asked):
        process = loading(Servers([port], []), Load("get", 600.0, 0, connections=1, size=3))
        process.terminate()
        done = outcome(process)
    assert done.requests == len(asked) - 1 >= 1


def test_an_end_before_the_beginning_is_heeded() -> None:
    with _server(_right) as (port, asked), pytest.raises(RuntimeError, match="no request was answered"):
        run(
            Load("get", 600.0, 100, connections=1, size=3),
            [port],
            begins=lambda: signal.raise_signal(signal.SIGTERM),
        )
    assert len(asked) == 1, "the set before it"
