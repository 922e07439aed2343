"""Small files: what Python says by None is an error like any other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memrep.daemon.files import read_file


def test_a_file_is_read_as_far_as_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_file(path) == b"0123456789"
    assert read_file(path, 4) == b"0123"
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "none")


@pytest.mark.parametrize("most", [-1, 100])
def test_a_read_that_would_block_is_an_error_and_not_nothing(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    monkeypatch.setattr(Path, "open", lambda _, mode: os.fdopen(reader, mode))
    with pytest.raises(BlockingIOError):
        read_file(fifo, most)
    os.close(writer)
