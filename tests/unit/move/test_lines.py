"""Each line of a database's is a session, or is counted."""

from __future__ import annotations

import base64
import time
from contextlib import closing
from pathlib import Path

import pytest

from memrep.errors import UsageError
from memrep.handlers.item import Item, LeftOut
from memrep.move.lines import Lines


def _read(tmp_path: Path, text: bytes) -> list[Item | LeftOut]:
    path = tmp_path / "lines"
    path.write_bytes(text)
    with closing(Lines(str(path))) as source:
        return list(source.read())


def test_a_line_is_a_session_with_its_time(tmp_path: Path) -> None:
    value = b'a:1:{s:1:"n";i:1;}'
    ends = time.time() + 100
    (item,) = _read(tmp_path, b"abc\t%b\t%d\r\n" % (base64.b64encode(value), ends))
    assert isinstance(item, Item)
    assert (item.name, item.value) == (b"abc", value)
    assert item.left_ms is not None
    assert 90_000 < item.left_ms <= 100_000


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"abc",
        b"abc\teA==",
        b"abc\teA==\tsoon",
        b"abc\t%%%\t9e9",
        b"a b\teA==\t9e9",
        b"abc\t\t9e9",
        b"abc\teA==\tnan",
    ],
)
def test_a_line_that_is_none_is_a_loss(tmp_path: Path, line: bytes) -> None:
    (out,) = _read(tmp_path, line + b"\n")
    assert isinstance(out, LeftOut)
    assert out.is_loss


def test_what_is_over_is_no_loss(tmp_path: Path) -> None:
    assert _read(tmp_path, b"abc\teA==\t5\n") == [LeftOut("at the end of their time", is_loss=False)]


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="No such file"):
        Lines("/no/such/file")
