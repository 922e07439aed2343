"""Slow commands at the admin socket: with names of nodes, and keys hashed unless asked otherwise."""

from __future__ import annotations

import msgspec
import pytest

from memrep.daemon.http_exchange import Answer, Request
from memrep.daemon.key_names import hashed
from memrep.daemon.slow_desk import SlowDesk
from memrep.status.slow_facts import SlowListStatus
from tests.harness.cluster import serving_cluster


@pytest.mark.parametrize(("target", "key"), [("/slow", hashed(b"k")), ("/slow?keys=1", "k")])
def test_the_latest_comes_first_with_who_held_it_up(target: str, key: str) -> None:
    cluster = serving_cluster(3)
    client = cluster.client(1, "10.9.9.9")
    client.send(b"set k 0 0 1\r\n1\r\n")
    for command in (b"set first 0 0 1\r\n1\r\n", b"delete k\r\n"):
        cluster.hold((2, 1))
        client.post(command)
        cluster.advance(200)
        cluster.release((2, 1))
    (page,) = SlowDesk(cluster.nodes[1]).pages.values()
    answer = page(Request(method="GET", target=target, headers={}, body=b""))
    assert isinstance(answer, Answer)
    told = msgspec.json.decode(answer.body, type=SlowListStatus)
    assert (told.node, told.limit_s, told.keys) == ("10.0.0.1:11211", 0.1, key == "k")
    assert [(command.command, command.host) for command in told.commands] == [
        ("delete", "10.9.9.9"),
        ("set", "10.9.9.9"),
    ]
    assert told.commands[0].key == key
    assert told.commands[0].nodes == ["10.0.0.2:11211"]
