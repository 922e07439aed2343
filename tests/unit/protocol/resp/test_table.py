"""Every command is found by its name in whatever case, and none has two rows."""

from __future__ import annotations

import pytest

from memrep.protocol.resp import handshake, information, keys, keyspace, scripts, strings, transactions
from memrep.protocol.resp.command import MOVABLE_KEYS, NO_KEYS, READ, WRITE
from memrep.protocol.resp.scripts import SCRIPTS
from memrep.protocol.resp.table import COMMANDS, find, unknown
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import lone_client, one_told, said

MODULES = (handshake, information, keys, keyspace, scripts, strings, transactions)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_found_in_whatever_case(name: bytes) -> None:
    row = COMMANDS[name]
    assert find([name]) is find([name.upper()]) is find([name.title()]) is row
    for word, inner in row.subcommands.items():
        assert find([name, word]) is find([name.upper(), word.upper()]) is inner


def test_no_command_has_two_rows() -> None:
    names = [row.name for module in MODULES for row in module.COMMANDS]
    assert len(names) == len(set(names))
    assert set(names) <= set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_that_names_keys_says_whether_it_writes(name: bytes) -> None:
    row = COMMANDS[name]
    if not row.subcommands and not row.flags & NO_KEYS and name != b"watch":
        assert bool(row.flags & READ) != bool(row.flags & WRITE)
    assert not (row.flags & NO_KEYS and row.flags & MOVABLE_KEYS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_with_too_few_words_is_refused_and_the_connection_goes_on(name: bytes) -> None:
    client = lone_client()
    row = COMMANDS[name]
    for words in range(1, abs(row.arity)):
        assert one_told(client.receive(said(name, *["x"] * (words - 1)))).startswith(b"-ERR ")
    assert client.receive(said("ECHO", "x")) == b"$1\r\nx\r\n" or name == b"quit"


#: Those behind which there is another conversation, or none.
_OTHER_TALK = {b"quit", b"subscribe", b"psubscribe"}


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - _OTHER_TALK))
@pytest.mark.parametrize("words", range(6))
def test_whatever_stands_behind_a_name_it_is_answered_once(name: bytes, words: int) -> None:
    for word in ("x", "1", ""):
        client = lone_node().connect("redis")
        for row in (name, *[b"%b %b" % (name, inner) for inner in COMMANDS[name].subcommands]):
            if row not in (b"client reply", b"client kill", b"monitor"):
                replies = client.receive(said(*row.split(), *[word] * words) + said("ECHO", "end"))
                assert replies.endswith((b"$3\r\nend\r\n", b"+QUEUED\r\n")), row
                client.receive(said("RESET"))


def test_what_is_said_of_an_unknown_command_is_bounded() -> None:
    assert len(unknown([b"x" * 1_000, *[b"y" * 100] * 1_000])) < 400
    assert len(unknown([b"client", b"y" * 1_000])) < 250


#: What stands behind the key of each command that needs more than its key.
_BEHIND = {
    b"append": ["x"], b"decrby": ["1"], b"expire": ["9"], b"expireat": ["9"], b"getex": ["PERSIST"],
    b"getrange": ["0", "1"], b"getset": ["x"], b"incrby": ["1"], b"incrbyfloat": ["1"], b"mset": ["x"],
    b"msetnx": ["x"], b"pexpire": ["9"], b"pexpireat": ["9"], b"psetex": ["9", "x"], b"rename": ["b"],
    b"renamenx": ["b"], b"set": ["x"], b"setex": ["9", "x"], b"setnx": ["x"], b"setrange": ["0", "x"],
    b"substr": ["0", "1"],
}  # fmt: skip


@pytest.mark.parametrize("there", [True, False], ids=["hit", "miss"])
@pytest.mark.parametrize("name", sorted(name for name, row in COMMANDS.items() if row.keys_of([name, b"k"])))
def test_every_command_on_a_key_shows_that_a_client_is_there(name: bytes, there: bool) -> None:
    """By that a node that may have been left behind knows whom it has served (node/staleness.py)."""
    lone = lone_node()
    client = lone.connect("redis")
    if there:
        client.receive(said("SET", "a", "1"))
    before = lone.node.counters.on_keys
    client.receive(said(name, "a", *_BEHIND.get(name, [])))
    assert lone.node.counters.on_keys > before


@pytest.mark.parametrize("sha", sorted(SCRIPTS))
def test_every_script_shows_that_a_client_is_there(sha: bytes) -> None:
    lone = lone_node()
    client = lone.connect("redis")
    before = lone.node.counters.on_keys
    client.receive(said("EVALSHA", sha, "1", "a", "1", "1000", "1"))
    assert lone.node.counters.on_keys > before
