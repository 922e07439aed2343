"""An item travels as it is."""

from __future__ import annotations

import msgspec
import pytest

from memrep.handlers.item import Item


@pytest.mark.parametrize("left_ms", [None, 0, 1, 1 << 62])
def test_an_item_is_the_same_after_a_file(left_ms: int | None) -> None:
    item = Item(b"\0name\xff", b"\r\nvalue\0", 0xFFFFFFFF, left_ms, 15)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(item), type=Item) == item
