"""A signal and a wish have options read anew; the log and systemd are told of it."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import attrs
import trio
from trio.testing import MockClock

from memrep.daemon.certificate import Certificate
from memrep.daemon.options import ServeOptions
from memrep.daemon.origins import Given
from memrep.daemon.reload import LOOK_S, Reloader, Source
from memrep.daemon.reload_task import ReloadTask
from memrep.errors import UsageError
from memrep.events import CERTIFICATE_EXPIRES, RELOAD_REFUSED, RELOADED, Level, Line
from memrep.status.reloads import Reloaded
from tests.real.processes import until
from tests.unit.daemon.here import here
from tests.unit.daemon.served import PATIENCE_S, Served, connect, is_alive, serve


class _Told:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.systemd: list[str] = []

    def systemds(self, **lines: str) -> None:
        self.systemd += lines


def _task(options: ServeOptions, told: _Told, source: Source | None = None) -> ReloadTask:
    return ReloadTask(
        Reloader(options, source, here),
        lambda options: None,
        lambda options: None,
        told.lines.append,
        told.systemds,
    )


async def test_systemd_is_told_before_and_afterwards_and_the_log_what_has_come_of_it(
    options: ServeOptions,
) -> None:
    told = _Told()
    assert await _task(options, told).reload("asked for by user 0, process 1") == Reloaded()
    assert told.systemd == ["RELOADING", "MONOTONIC_USEC", "READY"]
    assert told.lines == [RELOADED(who="asked for by user 0, process 1", changed="nothing has changed")]


async def test_a_refusal_is_one_line_and_an_error(options: ServeOptions) -> None:
    def read() -> Given:
        raise UsageError("it is no valid TOML")

    told = _Told()
    await _task(options, told, Source(read=read)).reload("SIGHUP")
    assert told.lines == [RELOAD_REFUSED(who="SIGHUP", reason="it is no valid TOML")]
    assert told.lines[0].event.level == Level.ERROR
    assert told.systemd[-1] == "READY"


def _grows(options: ServeOptions, given: Mapping[str, object]) -> ServeOptions:
    return attrs.evolve(options, connections=options.connections + 1)


def test_a_sighup_has_options_read_anew_and_clients_notice_nothing(options: ServeOptions) -> None:
    source = Source(Given({"connections": 1}), lambda: Given({"connections": 2}), _grows)

    def visit(served: Served) -> None:
        with connect(options) as client:
            served.signals.append(signal.SIGHUP)
            until(lambda: _max_connections(client) == 1025, PATIENCE_S, "what was read is taken")
            assert is_alive(client)

    assert "options are read anew (SIGHUP): connections\n" in serve(options, visit, source).log


def _max_connections(client: object) -> int:
    client.sendall(b"stats\r\n")  # type: ignore[attr-defined]
    told = b""
    while not told.endswith(b"END\r\n"):
        told += client.recv(1 << 16)  # type: ignore[attr-defined]
    (line,) = (line for line in told.splitlines() if b"max_connections" in line)
    return int(line.split()[-1])


async def test_files_are_looked_at_each_minute(options: ServeOptions, autojump_clock: MockClock) -> None:
    looks: list[float] = []

    class Watching(Reloader):
        watches = True

        async def look(
            self, fits: Callable[[ServeOptions], None], take: Callable[[ServeOptions], None]
        ) -> Reloaded | None:
            looks.append(trio.current_time())
            return Reloaded(["tls_cert"]) if len(looks) == 2 else None

    told = _Told()
    task = ReloadTask(
        Watching(options, None, here),
        lambda options: None,
        lambda options: None,
        told.lines.append,
        told.systemds,
    )
    started = trio.current_time()
    with trio.move_on_after(3.5 * LOOK_S):
        await task.keep()
    assert [round(look - started) for look in looks] == [60, 120, 180]
    assert told.lines == [RELOADED(who="a file has changed", changed="tls_cert")]
    assert not told.systemd


async def test_a_certificate_that_soon_expires_is_told_of_each_day(
    options: ServeOptions, autojump_clock: MockClock
) -> None:
    soon = Certificate(
        "tls.crt", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), datetime.now(UTC) + timedelta(days=5)
    )
    told = _Told()
    task = _task(attrs.evolve(options, certificate=soon), told)
    with trio.move_on_after(3 * 86_400 + 2 * LOOK_S):
        await task.keep()
    assert [line.event for line in told.lines] == [CERTIFICATE_EXPIRES] * 3
