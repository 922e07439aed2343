"""Digests: equal sums if and only if the same versions of the same keys, whatever way led there."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from memrep.storage.digest import BUCKETS, Digest, bucket_of
from memrep.storage.version import ZERO, Version, make

keys = st.binary(min_size=1, max_size=4)
versions = st.builds(make, st.integers(0, 3), st.integers(1, 50))
contents = st.dictionaries(keys, versions, max_size=12)


def _digest(pairs: dict[bytes, Version]) -> Digest:
    digest = Digest()
    for key, version in pairs.items():
        digest.replace(key, ZERO, version)
    return digest


def _in_one_bucket(count: int) -> list[bytes]:
    """Some keys that fall into bucket 0."""
    found = (b"key%d" % number for number in range(1_000_000) if bucket_of(b"key%d" % number) == 0)
    return [next(found) for _ in range(count)]


def test_two_empty_stores_do_not_differ() -> None:
    assert Digest().differing(Digest().sums) == frozenset()


def test_there_is_one_sum_for_each_bucket() -> None:
    assert len(Digest().sums) == BUCKETS == 1024


@given(st.binary())
def test_a_key_falls_into_a_bucket_that_exists(key: bytes) -> None:
    assert 0 <= bucket_of(key) < BUCKETS


@given(keys, versions)
def test_a_key_that_only_one_store_has_shows_in_its_bucket(key: bytes, version: Version) -> None:
    assert _digest({key: version}).differing(Digest().sums) == {bucket_of(key)}


@given(contents, st.randoms(use_true_random=False))
def test_the_order_of_updates_does_not_matter(pairs: dict[bytes, Version], random_bytes: object) -> None:
    shuffled = list(pairs.items())
    random_bytes.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _digest(pairs).sums == _digest(dict(shuffled)).sums


@given(contents, contents)
def test_digests_are_equal_if_and_only_if_the_same_pairs_are_held(
    ours: dict[bytes, Version], theirs: dict[bytes, Version]
) -> None:
    differing = {bucket_of(key) for key, _ in ours.items() ^ theirs.items()}
    assert _digest(ours).differing(_digest(theirs).sums) == differing


@given(keys, st.lists(st.one_of(st.just(ZERO), versions), max_size=10))
def test_only_the_last_version_of_a_key_counts(key: bytes, history: list[Version]) -> None:
    digest = Digest()
    old = ZERO
    for new in history:
        digest.replace(key, old, new)
        old = new
    assert digest.sums == _digest({key: old}).sums


@given(contents)
def test_what_is_taken_out_again_leaves_nothing(pairs: dict[bytes, Version]) -> None:
    digest = _digest(pairs)
    for key, version in pairs.items():
        digest.replace(key, version, ZERO)
    assert digest.sums == [0] * BUCKETS


@given(contents, contents)
def test_without_a_part_it_is_the_digest_of_the_rest(
    rest: dict[bytes, Version], part: dict[bytes, Version]
) -> None:
    whole = _digest({b"rest" + key: version for key, version in rest.items()} | part)
    alone = _digest({b"rest" + key: version for key, version in rest.items()})
    assert whole.without(_digest(part), 0, BUCKETS) == alone.sums
    assert whole.without(_digest(part), 8, 16) == alone.sums[8:16]


@given(st.integers(1, 1 << 61))
def test_two_keys_that_swap_adjacent_versions_do_not_cancel_out(stamp: int) -> None:
    one, other = _in_one_bucket(2)
    earlier, later = make(1, stamp), make(1, stamp + 1)
    assert _digest({one: earlier, other: later}).sums != _digest({one: later, other: earlier}).sums


@given(st.integers(0, 61))
def test_two_keys_whose_versions_differ_by_the_same_bit_do_not_cancel_out(bit: int) -> None:
    one, other = _in_one_bucket(2)
    plain, flipped = make(1, 0), make(1, 1 << bit)
    assert _digest({one: plain, other: plain}).sums != _digest({one: flipped, other: flipped}).sums


def test_a_key_whose_checksum_is_nought_counts_all_the_same() -> None:
    key = bytes.fromhex("9d0ad96d")
    assert crc32(key) == 0
    assert _digest({key: make(1, 1)}).sums != _digest({key: make(1, 2)}).sums
