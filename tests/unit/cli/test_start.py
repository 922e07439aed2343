"""What a start would have is what `memrep serve` would be given here, with the mistakes that it would have."""

from __future__ import annotations

from pathlib import Path

import pytest

from memrep.cli.start import start_of


def test_without_a_file_all_is_as_it_is_by_default() -> None:
    told = start_of(None)
    assert (told.node, told.running, told.file, told.refused) == ("127.0.0.1:11211", False, "", "")
    assert {option.origin for option in told.options} == {"default"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("memory = 'lots'", "lots"),
        ("nodes = 'web1'", "write them as in save_path"),
        ("tls_key = 'x'", "--tls-cert"),
    ],
)
def test_a_mistake_is_told_and_is_no_failure_of_this_command(text: str, says: str, tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text(text)
    told = start_of(str(config))
    assert says in told.refused
    assert told.node == ""
