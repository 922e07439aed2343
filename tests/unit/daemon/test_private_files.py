"""The secret file: one line that nobody else can read, or one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from memrep.daemon.private_files import read_secrets
from memrep.errors import UsageError


def _file(directory: Path, content: bytes, mode: int = 0o600) -> str:
    path = directory / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("content", [b"0123456789abcdef", b"0123456789abcdef\n", b" 0123456789abcdef\r\n\n"])
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_secret_is_one_line_however_it_ends(content: bytes, mode: int, tmp_path: Path) -> None:
    assert read_secrets(_file(tmp_path, content, mode)) == (b"0123456789abcdef",)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o660, 0o601, 0o777])
def test_a_file_that_others_may_read_or_change_holds_no_secret(mode: int, tmp_path: Path) -> None:
    path = _file(tmp_path, b"0123456789abcdef", mode)
    with pytest.raises(UsageError, match=f"others may read or change it; `chmod 600 {path}`$"):
        read_secrets(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds 0 bytes, 16 are the least; make one with `.umask 077; openssl rand"),
        (b"0123456789abcde\n", "holds 15 bytes"),
        (b"0123456789abcdef\n0123\n", "holds a line of 4 bytes, 16 are the least"),
        (b"0123456789abcdef\n" * 4, "must hold one line, or up to 3 while secrets are changed"),
        (b"x" * 5_000, "must hold one line"),
    ],
)
def test_what_is_no_secret_is_answered_with_how_to_make_one(content: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        read_secrets(_file(tmp_path, content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory; give a file that memrep's user may read"):
        read_secrets(str(tmp_path / "none"))


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directory"):
        read_secrets(str(tmp_path))


def test_while_it_is_changed_a_file_holds_up_to_three_secrets_the_first_of_which_is_proved(
    tmp_path: Path,
) -> None:
    lines = [b"the first of them", b"the second of them", b"the third of them"]
    for count in (2, 3):
        assert read_secrets(_file(tmp_path, b"\n".join(lines[:count]) + b"\n\n")) == tuple(lines[:count])
