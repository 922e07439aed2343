"""Databases never meet: each key of each has a name of its own in the store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memrep.protocol.resp.databases import ALL, Database
from memrep.storage.namespaces import FLUSHES, HOME, NAMESPACES_MAX, number_of, prefix
from tests.harness.lone_node import lone_node
from tests.unit.protocol.resp.test_dialect import NIL, bulk, said

#: Keys that look like stored ones among them.
KEY = st.one_of(
    st.binary(max_size=8),
    st.builds(
        bytes.__add__,
        st.sampled_from([HOME, b"\n", *(prefix(number) for number in range(NAMESPACES_MAX))]),
        st.binary(max_size=4),
    ),
    st.sampled_from(sorted(FLUSHES)),
)
DATABASE = st.sampled_from(ALL)


@given(DATABASE, KEY, DATABASE, KEY)
def test_no_two_keys_have_the_same_stored_name(
    one: Database, key: bytes, other: Database, another: bytes
) -> None:
    same = one is other and key == another
    assert (one.stored(key) == other.stored(another)) == same


@given(DATABASE, KEY)
def test_a_key_is_named_again_by_its_own_database_alone(database: Database, key: bytes) -> None:
    stored = database.stored(key)
    assert [other.number for other in ALL if other.named(stored) is not None] == [database.number]
    assert database.named(stored) == key
    assert number_of(stored) == database.number


@given(DATABASE, KEY)
def test_no_key_is_that_of_a_flush(database: Database, key: bytes) -> None:
    assert database.stored(key) not in FLUSHES
    assert all(database.named(flush) is None for flush in FLUSHES)


@given(st.from_regex(rb"[!-~]{1,250}", fullmatch=True))
def test_what_memcacheds_clients_can_name_has_that_name_in_the_first_database(key: bytes) -> None:
    assert ALL[0].stored(key) == key


def test_each_database_has_its_own_value_of_a_key_and_memcacheds_clients_see_the_first() -> None:
    lone = lone_node()
    client, other = lone.connect("redis"), lone.connect()
    for number in range(NAMESPACES_MAX):
        client.receive(said("SELECT", number) + said("SET", "a", number))
    for number in range(NAMESPACES_MAX):
        client.receive(said("SELECT", number))
        assert client.receive(said("GET", "a")) == bulk(b"%d" % number)
        client.receive(said("DEL", "a"))
        assert client.receive(said("GET", "a")) == NIL
        if number == 0:
            assert other.receive(b"get a\r\n") == b"END\r\n"
