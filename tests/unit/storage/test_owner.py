"""Owners: who an entry belongs to travels with it, is no part of its version, and is changed by nobody."""

from __future__ import annotations

import gc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.replication.message import Frame, describe
from memrep.replication.wire import decode, encode
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner
from memrep.storage.store import Store
from memrep.storage.version import NODE_MAX, make

NOW = 1_000_000

owners = st.builds(Owner, st.integers(0, NODE_MAX), st.integers(0, NEVER), st.booleans())


def _owned(owner: Owner | None, number: int = 1) -> Entry:
    return Entry(make(1, number), b"v", 0, NEVER, 0, owner)


@given(st.none() | owners)
def test_an_owner_reaches_every_node_as_it_is(owner: Owner | None) -> None:
    (frame,) = decode(encode(Frame(64, 1, [describe(b"k", _owned(owner), None, False, NOW)])))
    assert isinstance(frame, Frame)
    (write,) = frame.items
    assert write == describe(b"k", _owned(owner), None, False, NOW)


def test_who_owns_for_certain_need_not_say_so() -> None:
    assert Owner(2, 15_000) == Owner(2, 15_000, maybe=False)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([2, 15_000]), type=Owner) == Owner(2, 15_000)


@pytest.mark.parametrize("owner", [None, Owner(0, 15_000), Owner(3, 15_000)])
def test_the_same_version_with_another_owner_is_nothing_new(owner: Owner | None) -> None:
    store = Store(1 << 20)
    store.put(b"k", _owned(Owner(2, 15_000)), NOW)
    digest = store.digest.sums[:]
    assert not store.put(b"k", _owned(owner), NOW)
    entry = store.get(b"k", NOW)
    assert entry is not None
    assert entry.owner == Owner(2, 15_000)
    assert store.digest.sums == digest


def test_two_entries_may_share_an_owner_for_nobody_can_change_it() -> None:
    owner = Owner(2, 15_000)
    with pytest.raises(AttributeError):
        owner.node = 3  # type: ignore[misc]


def test_the_garbage_collector_passes_owners_and_what_they_own_over() -> None:
    owner = Owner(2, 15_000)
    assert not gc.is_tracked(owner)
    assert not gc.is_tracked(_owned(owner))
