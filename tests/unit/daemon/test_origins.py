"""What was given is a mapping like any other that remembers whence each option came."""

from __future__ import annotations

import pytest

from memrep.daemon.origins import FILE, Given


def test_values_are_found_by_name_and_origins_beside_them() -> None:
    given = Given({"memory": 64, "port": 1}, {"memory": FILE}, "memrep.toml")
    assert dict(given) == {"memory": 64, "port": 1}
    assert (len(given), given["memory"], given.origins["memory"], given.file) == (2, 64, FILE, "memrep.toml")
    with pytest.raises(KeyError):
        given["other"]
    assert len(Given()) == 0
