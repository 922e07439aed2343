"""Values of options: what is none is refused with what to write instead."""

from __future__ import annotations

import click
import pytest

from memrep.cli.values import Seconds, Size


def test_seconds_are_within_bounds_and_nan_is_none() -> None:
    assert Seconds(0.2, 60).convert("1.5", None, None) == 1.5
    for wrong in ("0.1", "61", "nan", "soon"):
        with pytest.raises(click.BadParameter):
            Seconds(0.2, 60).convert(wrong, None, None)


def test_a_size_may_have_a_unit() -> None:
    sizes = [Size().convert(text, None, None) for text in ("5", "3k", "2M", "1g")]
    assert sizes == [5, 3 << 10, 2 << 20, 1 << 30]
    with pytest.raises(click.BadParameter, match="write 512k or 2m"):
        Size().convert("1t", None, None)
