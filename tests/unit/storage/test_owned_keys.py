"""Owned keys: the index holds the keys of values with an owner and no others, whatever is done to the store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memrep.storage.entry import NEVER, Entry
from memrep.storage.namespaces import FLUSH_KEY
from memrep.storage.owned_keys import OwnedKeys
from memrep.storage.owner import Owner
from memrep.storage.store import TOMBSTONE_MS, Store
from memrep.storage.version import make

NOW = 1_000_000
OWNER = Owner(2, 15_000)

keys = st.sampled_from([b"a", b"b", b"c"])
steps = st.sampled_from(
    ["owned", "freed", "plain", "short", "delete", "old", "remove", "flush", "disown", "sweep"]
)


def _entry(number: int, owner: Owner | None = None, expires: int = NEVER) -> Entry:
    return Entry(make(1, number), b"v", 0, expires, 0, owner)


def _do(store: Store, step: str, key: bytes, number: int, now: int) -> None:
    made = {
        "owned": _entry(number, OWNER),
        "freed": _entry(number, Owner(0, 15_000)),
        "plain": _entry(number),
        "short": _entry(number, OWNER, now + 5_000),
        "delete": Entry(make(1, number), None, 0, now + TOMBSTONE_MS, 0, OWNER),
        "old": _entry(0, OWNER),
    }
    if step in made:
        store.put(key, made[step], now)
    elif step == "remove":
        store.remove(key)
    elif step == "flush":
        store.put(FLUSH_KEY, Entry(make(1, number), b"flush", 0, NEVER), now)
    elif step == "disown":
        store.disown({OWNER.node})
    else:
        store.sweep(now)


@given(st.lists(st.tuples(steps, keys, st.integers(0, 10_000)), max_size=40))
def test_the_index_is_what_a_look_at_all_entries_would_find(done: list[tuple[str, bytes, int]]) -> None:
    store, now = Store(1 << 20), NOW
    for number, (step, key, ms) in enumerate(done, start=1):
        now += ms
        _do(store, step, key, number, now)
        assert set(store.owned.keys) == {key for key in store.values if store.values[key].owner is not None}


def test_an_entry_whose_node_has_lost_its_clients_is_still_found() -> None:
    store = Store(1 << 20)
    store.put(b"a", _entry(1, OWNER), NOW)
    store.disown({OWNER.node})
    assert list(store.owned.keys) == [b"a"]
    assert store.disown({0}) != []


def test_a_value_that_has_run_out_is_no_longer_owned_once_it_is_swept() -> None:
    store = Store(1 << 20)
    store.put(b"a", _entry(1, OWNER, NOW + 1_000), NOW)
    store.sweep(NOW)
    store.sweep(NOW + 10_000)
    assert not store.owned.keys


def test_what_is_owned_may_be_evicted_like_all_else_as_long_as_no_policy_says_otherwise() -> None:
    store = Store(1 << 20)
    store.put(b"a", _entry(1, OWNER), NOW)
    store.put(b"b", _entry(2), NOW)
    assert [key for key, _, _ in store.victims(1 << 20)] == [b"a", b"b"]
    store.remove(b"a")
    assert not store.owned.keys


class _Policy(OwnedKeys):
    """What a policy's own index is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[bytes, bool]] = []

    def placed(self, key: bytes, entry: Entry) -> None:
        super().placed(key, entry)
        self.told.append((key, entry.owner is not None))

    def pinned(self, entry: Entry) -> bool:
        return entry.owner is not None


def test_a_policy_is_told_of_all_that_is_placed_while_anything_is_owned_and_of_nothing_else() -> None:
    policy = _Policy()
    store = Store(1 << 20, owned=policy)
    store.put(b"plain", _entry(1), NOW)
    assert policy.told == []
    store.put(b"a", _entry(2, OWNER), NOW)
    store.put(b"a", _entry(3), NOW)
    store.put(b"b", _entry(4), NOW)
    assert policy.told == [(b"a", True), (b"a", False)], "what took the owned one's place counts, too"


def test_what_a_policy_pins_is_passed_over_when_memory_is_short() -> None:
    store = Store(1 << 20, owned=_Policy())
    store.put(b"a", _entry(1, OWNER), NOW)
    store.put(b"b", _entry(2), NOW)
    assert [key for key, _, _ in store.victims(1 << 20)] == [b"b"]
