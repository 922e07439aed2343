"""The size limit of one item: memcached's."""

from __future__ import annotations

import pytest

from memrep.engine.item_limit import ItemLimit
from memrep.engine.operations import NOT_STORED
from tests.harness.engine_fixture import Rig


@pytest.mark.parametrize(
    ("flags", "most"), [(0, 1_000_000 - 59 - 3), (1, 1_000_000 - 59 - 3 - 4)], ids=["no flags", "flags"]
)
def test_the_item_size_limit_counts_key_flags_and_header(flags: int, most: int) -> None:
    limit = ItemLimit(1_000_000)
    assert not limit.too_large(b"key", flags, most)
    assert limit.too_large(b"key", flags, most + 1)
    assert limit.fits(b"key", flags, most)
    assert not limit.fits(b"key", flags, most + 1)


@pytest.mark.parametrize("flags", [0, 1])
def test_what_is_small_is_never_too_large(flags: int) -> None:
    limit = ItemLimit(2_000)
    for key in (1, 250, limit.small):
        assert not limit.too_large(b"k" * key, flags, limit.small - key)


def test_nothing_can_be_appended_to_a_value_that_is_as_large_as_an_item_may_be() -> None:
    rig = Rig(item_max=2_000)
    largest = max(size for size in range(2_000) if not rig.engine.item_limit.too_large(b"a", 0, size))
    rig.holding(b"x" * largest)
    assert rig.engine.append(b"a", b"y") is NOT_STORED
    assert rig.engine.prepend(b"a", b"y") is NOT_STORED
    assert rig.value(b"a") == b"x" * largest
