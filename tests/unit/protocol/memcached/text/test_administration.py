"""Whatever an administrator's tool sends, it is answered, and at once: no tool waits for ever."""

from __future__ import annotations

import pytest

from memrep import __version__
from memrep.protocol.memcached.kinds import SLOWNESS
from memrep.protocol.replies import OUTPUT_MAX
from tests.harness.lone_node import lone_node

#: What memcached's tools, and people, send, and how the answer ends for which they wait.
LISTS = [
    b"stats", b"stats settings", b"stats items", b"stats slabs", b"stats sizes", b"stats conns",
    b"stats cluster", b"stats extstore", b"stats detail dump", b"stats cachedump 1 0",
    b"lru_crawler metadump all", b"lru_crawler metadump hash", b"stats slabs 1", b"get nothing",
    b"gats 0 nothing",
]  # fmt: skip
DONE = [
    b"verbosity 1", b"cache_memlimit 64", b"flush_all", b"flush_all 10", b"stats detail on",
    b"stats detail off", b"lru tune 10 25 0.1 2.0", b"lru_crawler disable", b"lru_crawler sleep 100",
    b"lru_crawler tocrawl 0", b"slabs automove 0", b"slabs automove ratio 0.8",
]  # fmt: skip
REFUSED = [
    b"slabs reassign 1 2", b"lru_crawler crawl all", b"lru_crawler enable", b"lru mode flat",
    b"lru temp_ttl 5", b"watch", b"watch evictions", b"stats sizes_enable", b"stats nonsense",
    b"refresh_certs", b"shutdown", b"extstore free_memchunks 1 2", b"misbehave", b"nonsense",
    b"stats detail", b"stats cachedump", b"lru_crawler metadump", b"config get cluster", b"auth a b",
]  # fmt: skip


def _answer(line: bytes) -> bytes:
    """What is said to one line, by a node that holds something; and the connection is in step behind it."""
    client = lone_node().connect()
    client.receive(b"set a:1 0 0 1\r\nx\r\nget a:1\r\n")
    answer = client.receive(line + b"\r\n")
    assert client.receive(b"version\r\n").startswith(b"VERSION ")
    return answer


@pytest.mark.parametrize("line", LISTS, ids=bytes.decode)
def test_a_list_comes_to_its_end(line: bytes) -> None:
    answer = _answer(line)
    assert answer.endswith(b"END\r\n")
    assert answer.count(b"END\r\n") == 1


@pytest.mark.parametrize("line", DONE, ids=bytes.decode)
def test_what_is_taken_is_told_in_one_line(line: bytes) -> None:
    assert _answer(line) == b"OK\r\n"


@pytest.mark.parametrize("line", REFUSED, ids=bytes.decode)
def test_what_is_refused_is_told_in_one_line(line: bytes) -> None:
    answer = _answer(line)
    assert answer.startswith((b"ERROR", b"CLIENT_ERROR"))
    assert answer.count(b"\r\n") == 1


def test_other_answers_are_one_line_too() -> None:
    assert _answer(b"stats reset") == b"RESET\r\n"
    assert _answer(b"mn") == b"MN\r\n"
    assert _answer(b"me nothing") == b"EN\r\n"
    assert _answer(b"me a:1").startswith(b"ME a:1 exp=-1 la=0 cas=")
    assert _answer(b"cache_memlimit 1").startswith(b"MEMLIMIT_TOO_SMALL")


@pytest.mark.parametrize("line", [*LISTS, *DONE, *REFUSED], ids=bytes.decode)
def test_with_every_restriction_the_answer_is_final_too(line: bytes) -> None:
    client = lone_node(flush_all=False, lists=False).connect()
    answer = client.receive(line + b"\r\n")
    assert answer.endswith((b"END\r\n", b"OK\r\n")) or answer.startswith((b"ERROR", b"CLIENT_ERROR"))
    assert client.receive(b"version\r\n").startswith(b"VERSION ")


def test_memreps_own_version_is_in_the_statistics() -> None:
    assert b"STAT memrep_version %b\r\n" % __version__.encode() in _answer(b"stats")


@pytest.mark.parametrize("line", [b"stats", b"stats settings"], ids=bytes.decode)
def test_statistics_asked_for_without_end_are_made_bit_by_bit(line: bytes) -> None:
    lone = lone_node()
    connection = lone.node.clients.connect()
    asked = 5_000
    answered = lone.node.clients.receive(connection, (line + b"\r\n") * asked)
    assert (
        0 < len(answered) * SLOWNESS < OUTPUT_MAX + 2 * SLOWNESS * len(answered) // answered.count(b"END\r\n")
    )
    pieces = 1
    while connection.blocked:
        answered += lone.node.clients.resume(connection)
        pieces += 1
    assert answered.count(b"END\r\n") == asked
    assert pieces > 20
