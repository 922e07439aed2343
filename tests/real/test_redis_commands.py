"""What commands Redis has, of which memrep has some and refuses the others (memrep/protocol/resp/absent.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from memrep.protocol.resp.absent import ABSENT
from memrep.protocol.resp.table import COMMANDS

from .named import LoneServer

pytestmark = pytest.mark.real

#: Redis' own groups of what is about data.
DATA = [
    "string",
    "hash",
    "list",
    "set",
    "sortedset",
    "stream",
    "bitmap",
    "hyperloglog",
    "geo",
    "keyspace",
    "scripting",
]


def test_whatever_redis_does_with_data_is_here_or_is_refused(tmp_path: Path) -> None:
    with LoneServer(1, tmp_path) as server, Redis(server.redis_address(0), server.redis_port) as client:
        groups = [client.command_list(category=group) for group in DATA]
        everything = set(client.command_list())
    there = {name.partition(b"|")[0] for group in groups for name in group}
    assert len(there) > 150
    assert there - COMMANDS.keys() - ABSENT == set()
    assert ABSENT - everything == set()
