"""No command here is told anything by the environment of whoever runs the tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MEMREP_") or name == "XDG_RUNTIME_DIR"]:
        monkeypatch.delenv(name)
