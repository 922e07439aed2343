"""What `stats` tells of the process: what is true now, and under the names that memcached has for it."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from memrep.daemon.certificate import read_certificate
from memrep.daemon.log import Log
from memrep.daemon.log_format import LogFormat
from memrep.daemon.options import ServeOptions
from memrep.daemon.process_stats import figures, process, settings
from memrep.daemon.reload import Reloader
from memrep.disk.copy import NoSaver
from memrep.events import Level
from tests.harness.certificates import Authority
from tests.unit.daemon.here import here
from tests.unit.daemon.house import open_house


async def test_the_process_tells_how_many_clients_there_are_and_whether_more_may_come(
    options: ServeOptions,
) -> None:
    async with open_house() as house:
        told = dict(process(options, house.clients, house.ports, house.reactor, NoSaver()))
        assert (told["pid"], told["curr_connections"], told["accepting_conns"]) == (os.getpid(), 0, 0)
        house.open()
        await (await house.connect()).ask(b"mn\r\n")
        told = dict(process(options, house.clients, house.ports, house.reactor, NoSaver()))
        assert (told["curr_connections"], told["accepting_conns"]) == (1, 1)
        assert told["max_connections"] == options.connections
        assert told["turns"] == house.reactor.turns > 0


def test_settings_are_those_that_were_given_and_show_no_secret(options: ServeOptions) -> None:
    told = dict(settings(options, Level.INFO))
    assert (told["tcpport"], told["domain_socket"], told["secret"], told["verbosity"]) == (
        options.port,
        "NULL",
        "no",
        0,
    )
    closed = attrs.evolve(options, unix="/run/a.sock", node=attrs.evolve(options.node, secrets=(b"s" * 32,)))
    told = dict(settings(closed, Level.DEBUG))
    assert (told["domain_socket"], told["secret"], told["verbosity"]) == ("/run/a.sock", "yes", 1)


@pytest.fixture
def journal() -> Iterator[Log]:
    journal = Log(LogFormat())
    yield journal
    journal.close(1)


async def test_metrics_tell_of_this_process_and_of_its_turns(options: ServeOptions, journal: Log) -> None:
    async with open_house() as house:
        told = figures(house.reactor, journal, Reloader(options, None, here), "leaving")
        assert (told.hindrance, told.turns) == ("leaving", house.reactor.turns)
        assert told.cpu_s > 0
        assert told.started is not None and time.time() - 3_600 < told.started < time.time() + 1
        assert told.resident is not None and 1 << 20 < told.resident < 1 << 40
        assert told.descriptors is not None
        assert (told.log_lines_lost, told.certificates) == (0, {})
        with Path("/dev/null").open("rb"):
            assert (
                figures(house.reactor, journal, Reloader(options, None, here), "").descriptors
                == told.descriptors + 1
            )


async def test_what_the_kernel_does_not_tell_is_left_open(
    options: ServeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: Log
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda what: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    async with open_house() as house:
        told = figures(house.reactor, journal, Reloader(options, None, here), "", tmp_path / "nowhere")
    assert (told.started, told.resident, told.descriptors, told.descriptors_max) == (None, None, None, None)


async def test_metrics_tell_until_when_a_certificate_is_valid(
    options: ServeOptions, tmp_path: Path, journal: Log
) -> None:
    cert, key = map(str, Authority(tmp_path).issue("node", days=3))
    async with open_house() as house:
        shown = attrs.evolve(options, certificate=read_certificate(cert, key, None))
        told = figures(house.reactor, journal, Reloader(shown, None, here), "")
    assert told.certificates.keys() == {cert}
    assert 2.9 * 86_400 < told.certificates[cert] - time.time() < 3.1 * 86_400
