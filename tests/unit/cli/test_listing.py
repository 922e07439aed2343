"""What a node tells is shown as a table or as it is; that nobody answers is said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from memrep.cli.asking import Where
from memrep.cli.listing import show
from tests.unit.cli.admin_socket import admin_socket


class _Told(msgspec.Struct):
    count: int


@pytest.mark.parametrize(
    ("form", "shown"), [("table", "7 of them\n"), ("json", '{\n  "count": 7,\n  "new": 1\n}\n')]
)
def test_it_is_shown_as_asked_for(
    form: str, shown: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "admin.sock"
    with admin_socket(path, b'HTTP/1.1 200 OK\r\n\r\n{"count": 7, "new": 1}') as asked:
        status = show(Where(admin=str(path)), "/things", _Told, lambda told: f"{told.count} of them", form)
    assert (status, capfd.readouterr().out) == (0, shown)
    assert asked[0].startswith(b"GET /things HTTP")


def test_that_nobody_answers_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert show(Where(admin=str(tmp_path / "none")), "/things", _Told, str, "table") == 3
    assert "no node answers" in capfd.readouterr().err
