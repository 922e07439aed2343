"""Clients as tables: what is shown, and that nothing that a client chooses can write to the terminal."""

from __future__ import annotations

import msgspec

from memrep.status.client_rates import HostRate
from memrep.status.client_table import each_client, hosts
from tests.unit.status.test_client_facts import CLIENT, TOLD


def test_hosts_stand_in_their_order_with_what_they_ask() -> None:
    rates = [HostRate("10.1.1.1", 3, 20.4, 1_234.5, 2_097_152.0), HostRate("", 1, 0, 0, 0)]
    assert hosts(rates, TOLD).splitlines() == [
        "1 of 1,024 clients at 10.9.9.9:11211",
        "HOST          CLIENTS CONNECTS/S READS/S     SENDS",
        "10.1.1.1            3         20   1,234    2 MB/s",
        "(unix socket)       1          0       0 0 bytes/s",
    ]


def test_each_connection_stands_with_what_it_does() -> None:
    quiet = msgspec.structs.replace(CLIENT, idle_s=90.0, protocol="redis", tls=True)
    assert each_client([quiet, CLIENT], 1_024).splitlines() == [
        "2 of 1,024 clients",
        "ADDRESS       PROTOCOL   STATE      AGE QUIET READS   SENT",
        "10.1.1.1:4000 memcached  conn_read 12 s   1 s    30 3.9 KB",
        "10.1.1.1:4000 redis, TLS conn_read 12 s 1 min    30 3.9 KB",
    ]


def test_of_very_many_the_first_are_shown() -> None:
    lines = each_client([CLIENT] * 25, 1_024).splitlines()
    assert len(lines) == 23
    assert lines[-1] == "and 5 more; -w json has all"


def test_an_address_cannot_write_to_the_terminal() -> None:
    evil = msgspec.structs.replace(CLIENT, address="\x1b]0;x\x07")
    assert all(line.isprintable() for line in each_client([evil], 1).splitlines())
