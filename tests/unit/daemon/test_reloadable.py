"""The table of options that a running node takes anew has all options, and docs/operating.md shows it."""

from __future__ import annotations

import re
from pathlib import Path

import memrep
from memrep.cli.serve import serve_command
from memrep.daemon.reloadable import FILES, ONE_BY_ONE, OPTIONS, SETTLED, needs

PAGE = Path(memrep.__file__).parents[1] / "docs" / "operating.md"


def test_each_option_is_in_the_table() -> None:
    assert OPTIONS.keys() == {
        (param.name or "").rstrip("_") for param in serve_command.params if param.expose_value
    }


def test_files_are_taken_anew() -> None:
    assert not any(OPTIONS[name] for name in FILES)
    assert set(SETTLED) < set(FILES)


def test_whether_there_is_a_file_at_all_is_settled_and_which_one_is_not() -> None:
    assert needs("tls_cert", {"tls_cert": "a"}, {"tls_cert": "b"}) == ""
    added = f"cannot be added by a running node, that {ONE_BY_ONE}"
    assert needs("tls_cert", {"tls_cert": None}, {"tls_cert": "b"}) == added
    assert "left out" in needs("auth_file", {"auth_file": "a"}, {"auth_file": ""})
    assert needs("unix", {"unix": ""}, {"unix": "b"}) == ONE_BY_ONE
    assert needs("memory", {"memory": 1}, {"memory": 2}) == ""


def test_the_page_for_operators_shows_the_table() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (yes|no) \| ?(.*?) ?\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    shown = {name: (taken, why) for name, taken, why in rows}
    assert shown.keys() == OPTIONS.keys()
    for name, needed in OPTIONS.items():
        taken, why = shown[name]
        assert taken == ("no" if needed else "yes"), name
        assert why.startswith(needed), name
        if name in SETTLED:
            assert SETTLED[name] in why, name
