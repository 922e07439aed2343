"""What `stats` tells of the process: what is true now, and under the names that memcached has for it."""

from __future__ import annotations

import os

import attrs

from memrep.daemon.options import ServeOptions
from memrep.daemon.process_stats import process, settings
from tests.unit.daemon.house import open_house


async def test_the_process_tells_how_many_clients_there_are_and_whether_more_may_come(
    options: ServeOptions,
) -> None:
    async with open_house() as house:
        told = dict(process(options, house.clients, house.ports, house.reactor))
        assert (told["pid"], told["curr_connections"], told["accepting_conns"]) == (os.getpid(), 0, 0)
        house.open()
        await (await house.connect()).ask(b"mn\r\n")
        told = dict(process(options, house.clients, house.ports, house.reactor))
        assert (told["curr_connections"], told["accepting_conns"]) == (1, 1)
        assert told["max_connections"] == options.connections
        assert told["turns"] == house.reactor.turns > 0


def test_settings_are_those_that_were_given_and_show_no_secret(options: ServeOptions) -> None:
    told = dict(settings(options, verbose=False))
    assert (told["tcpport"], told["domain_socket"], told["secret"], told["verbosity"]) == (
        options.port,
        "NULL",
        "no",
        0,
    )
    closed = attrs.evolve(options, unix="/run/a.sock", node=attrs.evolve(options.node, secret=b"s" * 32))
    told = dict(settings(closed, verbose=True))
    assert (told["domain_socket"], told["secret"], told["verbosity"]) == ("/run/a.sock", "yes", 1)
