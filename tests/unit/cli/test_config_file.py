"""The TOML file: what it says, or one line that says what to do. Its options are tested with `memrep serve`."""

from __future__ import annotations

from pathlib import Path

import pytest

from memrep.cli.config_file import read_config
from memrep.errors import UsageError


def test_what_stands_in_the_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "memrep.toml"
    path.write_text('admin = "/run/memrep/admin.sock"\nmemory = 64\n')
    assert read_config(str(path)) == {"admin": "/run/memrep/admin.sock", "memory": 64}


def test_a_file_that_cannot_be_read_is_the_operators_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give a file that memrep may read"):
        read_config(str(tmp_path / "none"))


@pytest.mark.parametrize("data", [b"memory = ", b"\xff\xfe\0"])
def test_a_file_that_is_no_toml_is_the_operators_mistake(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "memrep.toml"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is no valid TOML"):
        read_config(str(path))
