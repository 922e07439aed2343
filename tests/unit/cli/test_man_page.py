"""Man pages say what the helps say, and groff has nothing to complain of."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from memrep.cli.main import COMMANDS, cli
from memrep.cli.man_page import main, man_page, pages
from tests.real.processes import missing

PAGES = pages()


def _shown(page: str) -> str:
    """The page as a terminal shows it, on one line."""
    if shutil.which("groff") is None:
        missing("groff (groff-base)")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rHY=0", "-P-cbou"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return " ".join(done.stdout.split())


def test_each_command_has_a_page() -> None:
    assert [name for name in PAGES if name.count("-") <= 1] == [
        "memrep.1",
        *(f"memrep-{name}.1" for name in COMMANDS),
    ]
    assert all(f"memrep\\-{name} (1)" in PAGES["memrep.1"] for name in COMMANDS)


def test_each_command_of_a_command_has_one_too_and_is_listed() -> None:
    page = PAGES["memrep-sessions.1"]
    for name in ("find", "show", "count", "kill"):
        assert f"memrep\\-sessions\\-{name} (1)" in page
        assert f".TP\n.B {name}\n" in page
        assert "--admin" in _shown(PAGES[f"memrep-sessions-{name}.1"])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_all_that_the_help_has(name: str) -> None:
    shown = _shown(PAGES[f"memrep-{name}.1"])
    group = click.Context(cli, info_name="memrep")
    command = cli.get_command(group, name)
    assert command is not None
    ctx = click.Context(command, info_name=name, parent=group)
    for option in command.params:
        record = option.get_help_record(ctx)
        if record is not None and isinstance(option, click.Option):
            assert record[0] in shown, record
    assert COMMANDS[name].line.rstrip(".") in shown
    for word in set(re.findall(r"[A-Za-z]{4,}", command.help or "")) - {"Examples", "Exit", "status"}:
        assert word in shown, word


def test_examples_and_exit_statuses_have_sections_of_their_own() -> None:
    page = PAGES["memrep-check.1"]
    assert ".SH EXAMPLES\n.PP\n.nf\n  memrep check " in page
    assert ".SH EXIT STATUS\n.PP\n0 ok, 1 warning" in page


def test_what_groff_would_take_for_a_request_is_text() -> None:
    command = click.Command("x", help="Do it.\n\n\b\n.so /etc/passwd\n'br\n\\fBbold\n-x ~ ^\n")
    page = man_page(click.Context(command, info_name="x"), [])
    assert "\\&.so /etc/passwd\n\\&'br\n\\efBbold\n\\-x \\(ti \\(ha\n" in page
    assert ".so /etc/passwd 'br \\fBbold -x ~ ^" in _shown(page)


def test_they_are_written_into_a_directory_that_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["man_page", str(tmp_path / "man" / "man1")])
    main()
    assert sorted(path.name for path in (tmp_path / "man" / "man1").iterdir()) == sorted(PAGES)
