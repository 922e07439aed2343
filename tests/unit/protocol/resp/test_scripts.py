"""Each script that clients send means what its text says (redis.md has the table), and no other one is run."""

from __future__ import annotations

from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.negotiation import REDIS
from memrep.protocol.resp.scripts import SCRIPTS, find, normal
from tests.harness.cluster import serving_cluster
from tests.harness.lone_node import LoneConnection, LoneNode, lone_node
from tests.unit.protocol.resp.test_dialect import OK, Waiting, Word, one_told, redis_client, said, told

BY_HAND = b'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end'

DELETES = [
    "b70c2384248f88e6b75b9f89241a180f856ad852",
    "647c65a442733a1aa440f99908d249d13b4d6c4a",
    "a50243715157b186c5162c69e02eff3bf0c7994a",
    "bec85b1c518b7ba0348a49c79b24adbb1ca95d3b",
    "c3f8721cbb97f72bc19e972846bd7aaf91901658",
    "e4612211c9f8f51c257e26e056b0a654b3187242",
]
REFRESH = "d5f94f1848f0c54fff99d99dbc4d54184a157c02"
PUT_OFF = "ae948f48c8da9feb2e215c474a412c605d33ff30"
SAVE = "382a00f43d29409f9e1ebe2cbcfe1ec089f8d154"
EXTEND = "a4e8783852e6b949f9ef3a97212805108459a890"
REACQUIRE = "1cac51482acf5858da00f6d685d68f886cd6b6b2"
ACQUIRE_ALL = "96da70f7716f27d278a5218544df37fd8b0a5e4c"
EXTEND_ALL = "aed6f382e410db8ba7926d4e5e9aab410bf2a78a"
ADD = "a08c9c69b7c07ae2485190873b90d128a23e502d"
FIRST_FREE = "420ca604de4310d8301943a71390ee669720d640"
INCREASE_THERE = "f4a7da3e5d8ea3b46642af08427151cae0190400"
INCREASE = "4d15273b16b10c15e1d9202cbe93c959ab7d250b"
ALL = [
    *DELETES, REFRESH, PUT_OFF, SAVE, EXTEND, REACQUIRE, ACQUIRE_ALL, EXTEND_ALL, ADD, FIRST_FREE,
    INCREASE_THERE, INCREASE,
]  # fmt: skip


@pytest.fixture
def lone() -> LoneNode:
    return lone_node()


@pytest.fixture
def client(lone: LoneNode) -> LoneConnection:
    return lone.connect(REDIS)


def _run(client: LoneConnection, sha: str, keys: str, *arguments: Word) -> object:
    """What EVALSHA tells of these keys, which have blanks between them."""
    return one_told(client.receive(said("EVALSHA", sha, len(keys.split()), *keys.split(), *arguments)))


def _ask(client: LoneConnection, *words: Word) -> object:
    return one_told(client.receive(said(*words)))


# --- the table


def test_these_are_all_there_are() -> None:
    assert sorted(SCRIPTS) == sorted(sha.encode() for sha in ALL)


@pytest.mark.parametrize("sha", DELETES)
def test_a_release_deletes_what_has_this_value_and_nothing_else(client: LoneConnection, sha: str) -> None:
    assert _run(client, sha, "a", "me") == 0
    _ask(client, "SET", "a", "other")
    assert _run(client, sha, "a", "me") == 0
    assert _ask(client, "GET", "a") == b"other"
    assert _run(client, sha.upper(), "a", "other") == 1
    assert _ask(client, "EXISTS", "a") == 0


def test_a_release_of_several_tells_how_many_it_has_deleted(client: LoneConnection) -> None:
    _ask(client, "MSET", "a", "me", "b", "other", "c", "me")
    assert _run(client, DELETES[-1], "a b c d", "me") == 2
    assert _ask(client, "EXISTS", "a", "b", "c") == 1


def test_a_refresh_counts_in_seconds_and_nought_is_for_ever(client: LoneConnection) -> None:
    assert _run(client, REFRESH, "a", "me", 60) == 0
    _ask(client, "SET", "a", "me", "PX", 100)
    assert _run(client, REFRESH, "a", "other", 60) == 0
    assert _ask(client, "PTTL", "a") == 100
    assert _run(client, REFRESH, "a", "me", 60) == 1
    assert _ask(client, "PTTL", "a") == 60_000
    for seconds in (0, -1):
        _ask(client, "PEXPIRE", "a", 100)
        assert _run(client, REFRESH, "a", "me", seconds) == 1
        assert _ask(client, "PTTL", "a") == -1


@pytest.mark.parametrize("sha", [PUT_OFF, REACQUIRE, SAVE])
def test_putting_off_counts_in_milliseconds_and_asks_for_the_value(client: LoneConnection, sha: str) -> None:
    _ask(client, "SET", "a", "me", "PX", 100)
    assert _run(client, sha, "a", "other", 5_000) == (None if sha == SAVE else 0)
    assert _ask(client, "PTTL", "a") == 100
    assert _run(client, sha, "a", "me", 5_000) == 1
    assert _ask(client, "PTTL", "a") == 5_000


@pytest.mark.parametrize("sha", [PUT_OFF, REACQUIRE])
def test_putting_off_makes_nothing_where_nothing_is(client: LoneConnection, sha: str) -> None:
    assert _run(client, sha, "a", "me", 5_000) == 0
    assert _ask(client, "EXISTS", "a") == 0


def test_saving_stores_where_nothing_is(client: LoneConnection) -> None:
    assert _run(client, SAVE, "a", "me", 5_000) == b"+OK"
    assert told(client.receive(said("GET", "a") + said("PTTL", "a"))) == [b"me", 5_000]


def test_extending_adds_to_what_is_left_unless_it_is_told_to_replace_it(client: LoneConnection) -> None:
    assert _run(client, EXTEND, "a", "me", 1_000, "0") == 0
    _ask(client, "SET", "a", "me")
    assert _run(client, EXTEND, "a", "me", 1_000, "0") == 0  # it has no end
    assert _ask(client, "PTTL", "a") == -1
    _ask(client, "PEXPIRE", "a", 5_000)
    assert _run(client, EXTEND, "a", "other", 1_000, "0") == 0
    assert _run(client, EXTEND, "a", "me", 1_000, "0") == 1
    assert _ask(client, "PTTL", "a") == 6_000
    assert _run(client, EXTEND, "a", "me", 1_000, "1") == 1
    assert _ask(client, "PTTL", "a") == 1_000


def test_acquiring_several_takes_all_or_none(client: LoneConnection) -> None:
    _ask(client, "SET", "b", "other")
    assert _run(client, ACQUIRE_ALL, "a b c", "me", 5_000) == 0
    assert _ask(client, "EXISTS", "a", "c") == 0
    assert _run(client, ACQUIRE_ALL, "a c d", "me", 5_000) == 3
    assert told(client.receive(said("MGET", "a", "c", "d") + said("PTTL", "d"))) == [[b"me"] * 3, 5_000]


def test_extending_several_extends_all_or_none(client: LoneConnection) -> None:
    _ask(client, "SET", "a", "me", "PX", 100)
    _ask(client, "SET", "b", "other", "PX", 100)
    assert _run(client, EXTEND_ALL, "a b", "me", 5_000) == 0
    assert _ask(client, "PTTL", "a") == 100
    _ask(client, "SET", "b", "me", "PX", 100)
    assert _run(client, EXTEND_ALL, "a b", "me", 5_000) == 2
    assert told(client.receive(said("PTTL", "a") + said("PTTL", "b"))) == [5_000, 5_000]


def test_adding_stores_for_so_many_seconds_where_nothing_is(client: LoneConnection) -> None:
    assert _run(client, ADD, "a", "x", 10) == b"+OK"
    assert _run(client, ADD, "a", "y", 20) is None
    assert told(client.receive(said("GET", "a") + said("TTL", "a"))) == [b"x", 10]


def test_the_first_key_that_is_free_is_taken_and_named(client: LoneConnection) -> None:
    _ask(client, "SET", "s1", "other")
    assert _run(client, FIRST_FREE, "s1 s2 s3", "s", 60, "me") == b"s2"
    assert told(client.receive(said("GET", "s2") + said("TTL", "s2"))) == [b"me", 60]
    assert _run(client, FIRST_FREE, "s1 s2 s3", "s", 60, "you") == b"s3"
    assert _run(client, FIRST_FREE, "s1 s2 s3", "s", 60, "they") is None


def test_counting_keeps_the_end_and_one_of_the_two_wants_a_number_there(client: LoneConnection) -> None:
    assert _run(client, INCREASE_THERE, "n", 2) is None
    assert _ask(client, "EXISTS", "n") == 0
    assert _run(client, INCREASE, "n", 2) == 2
    _ask(client, "PEXPIRE", "n", 5_000)
    assert _run(client, INCREASE_THERE, "n", -3) == -1
    assert _ask(client, "PTTL", "n") == 5_000
    _ask(client, "SET", "n", "x")
    for sha in (INCREASE, INCREASE_THERE):
        assert _run(client, sha, "n", 1) == b"-ERR value is not an integer or out of range"


@pytest.mark.parametrize("sha", ALL)
def test_every_script_is_known_before_it_is_loaded_and_says_what_it_lacks(
    client: LoneConnection, sha: str
) -> None:
    assert _ask(client, "SCRIPT", "EXISTS", sha, sha.upper(), "0" * 40) == [1, 1, 0]
    lacks = _ask(client, "EVALSHA", sha, 1, "a")
    assert isinstance(lacks, bytes) and lacks.startswith(b"-ERR ")
    assert _ask(client, "DBSIZE") == 0


# --- across nodes


def test_of_two_nodes_that_add_at_the_same_time_one_is_refused() -> None:
    cluster = serving_cluster(3)
    clients = [redis_client(cluster, number) for number in (1, 2, 3)]
    cluster.hold_all()
    for number, client in enumerate(clients):
        client.post(said("EVALSHA", SAVE, 1, "lock", number, 5_000))
    cluster.release()
    cluster.advance(500)
    assert sorted(one_told(client.take()) or b"" for client in clients) == [b"", b"", b"+OK"]


def test_of_two_nodes_that_acquire_several_at_the_same_time_at_most_one_has_them() -> None:
    cluster = serving_cluster(3)
    one, other = redis_client(cluster, 1), redis_client(cluster, 2)
    cluster.hold_all()
    one.post(said("EVALSHA", ACQUIRE_ALL, 2, "a", "b", "one", 60_000))
    other.post(said("EVALSHA", ACQUIRE_ALL, 2, "b", "a", "other", 60_000))
    cluster.release()
    cluster.advance(500)
    ends = [one_told(client.take()) for client in (one, other)]
    assert sorted(ends) in ([0, 0], [0, 2])
    values = [cluster.value(3, key) for key in (b"a", b"b")]
    assert values == {(2, 0): [b"one"] * 2, (0, 2): [b"other"] * 2, (0, 0): [None] * 2}[ends[0], ends[1]]


def test_a_release_does_not_delete_the_lock_of_the_next_one_who_took_it_meanwhile() -> None:
    cluster = serving_cluster(3)
    one, other = redis_client(cluster, 1), redis_client(cluster, 2)
    one.send(said("SET", "lock", "one"))
    cluster.hold_all()
    other.post(said("SET", "lock", "other"))
    one.post(said("EVALSHA", DELETES[0], 1, "lock", "one"))
    cluster.release()
    cluster.advance(500)
    assert other.take() == OK
    if one_told(one.take()) == 0:
        assert cluster.value(3, b"lock") == b"other"
    else:
        assert cluster.value(3, b"lock") in (None, b"other")


def test_a_script_is_one_write() -> None:
    client = Waiting()
    client.receive(said("EVALSHA", SAVE, 1, "a", "me", 5_000))
    assert client.proposed() == [b"a"]
    assert client.succeed() == OK
    assert client.receive(said("EVALSHA", DELETES[0], 1, "a", "other")) == b":0\r\n"
    assert client.proposed() == []


# --- texts


@pytest.mark.parametrize(
    "text",
    [
        BY_HAND.replace(b'"', b"'"),
        BY_HAND.replace(b" ", b"\n\t  "),
        BY_HAND.replace(b"get", b"GET").replace(b"del", b"Del"),
        b"-- releases\n" + BY_HAND + b"--[[ the\nend ]]",
        BY_HAND.replace(b" == ", b"=="),
    ],
)
def test_a_script_that_is_written_otherwise_means_the_same(client: LoneConnection, text: bytes) -> None:
    _ask(client, "SET", "a", "me")
    assert _ask(client, "EVAL", text, 1, "a", "me") == 1
    _ask(client, "SET", "a", "me")
    assert _ask(client, "SCRIPT", "LOAD", text) == sha1(text).hexdigest().encode()
    assert _ask(client, "EVALSHA", sha1(text).hexdigest(), 1, "a", "me") == 1


@pytest.mark.parametrize(
    "text",
    [
        b"return 1",
        b"",
        BY_HAND.replace(b"del", b"get"),
        BY_HAND.replace(b"KEYS[1]", b"KEYS[2]"),
        BY_HAND.replace(b"==", b"~="),
        BY_HAND.replace(b"return 0", b"return 1"),
        BY_HAND.replace(b"else return 0", b"elsereturn 0"),
        BY_HAND + b" return 2",
        b"--" + BY_HAND,
    ],
)
def test_a_script_that_means_anything_else_is_not_run(client: LoneConnection, text: bytes) -> None:
    _ask(client, "SET", "a", "me")
    refusal = _ask(client, "EVAL", text, 2, "a", "b", "me")
    assert isinstance(refusal, bytes) and refusal.startswith(b"-NOPERM memrep runs no Lua")
    assert _ask(client, "GET", "a") == b"me"
    assert find(text) is None


@given(st.binary(max_size=60))
def test_a_normal_form_is_its_own_normal_form_unless_it_begins_a_comment(text: bytes) -> None:
    form = normal(text)
    if b"- -" not in form and b"--" not in form and form.count(b'"') % 2 == 0 and b"'" not in form:
        assert normal(form) == form
