"""The group: it knows its commands without loading them, and answers each mistake by one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

import memrep
from memrep.cli.main import COMMANDS, cli, main
from tests.unit.cli.admin_socket import admin_socket, run
from tests.unit.cli.test_config import TOLD, TOLD_SAME
from tests.unit.status.clusters import cluster

ROOT: Final = Path(memrep.__file__).parent.parent

#: A process takes a fraction of this to start, s.
PATIENCE_S: Final = 15

#: What a node is made of, and what of Python takes long to load.
HEAVY: Final = {"trio", "memrep.daemon.daemon", "memrep.node", "attrs", "ssl", "asyncio", "email"}

#: Runs memrep, and then tells on standard error what has been loaded.
TELLS: Final = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from memrep.cli import main
main()
"""


def _process(*arguments: str, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(["-m", "memrep"] if code is None else ["-c", code]), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def _loaded(*arguments: str) -> set[str]:
    """What is loaded when memrep has done as these arguments tell."""
    done = _process(*arguments, code=TELLS)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(done.stderr.split())


def test_version_and_help_are_told() -> None:
    for words, told in ((["--version"], memrep.__version__), (["serve", "--help"], "--failure-timeout")):
        done = _process(*words)
        assert told in done.stdout
        assert (done.returncode, done.stderr) == (0, "")


def test_who_says_nothing_is_shown_the_help(capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: memrep [OPTIONS] [COMMAND]")
    assert all(entry.line in done.out for entry in COMMANDS.values())
    assert 'eval "$(_MEMREP_COMPLETE=bash_source memrep)"' in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_where_the_group_believes_it_and_says_the_same_of_itself(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").splitlines()[0] == COMMANDS[name].line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "memrep: No such command 'nonsense'. (see memrep --help)"),
        (["serve", "surplus"], "(see memrep serve --help)"),
        (["status", "surplus"], "(see memrep status --help)"),
        (["--surplus"], "(see memrep --help)"),
    ],
)
def test_a_mistake_is_answered_by_one_line_that_says_whose_help_to_read(
    arguments: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run(capfd, *arguments)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("memrep: ")
    assert line.endswith(says)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            ModuleNotFoundError("No module named 'difflib'"),
            "memrep: a part of Python cannot be loaded: No module named 'difflib'; ",
        ),
        (MemoryError(), "memrep: the system refuses what memrep needs: no memory; "),
    ],
)
def test_what_the_system_refuses_ends_it_with_one_line(
    error: BaseException, says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Some modules are loaded only when they are needed, when the disk may be gone."""

    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 4, "it may pass"
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(says)


def test_the_shell_completes_commands_and_their_options_and_loads_no_command_for_a_name() -> None:
    asked = {"_MEMREP_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    done = _process(code=TELLS, COMP_WORDS="memrep ", **asked)
    assert done.stdout.split() == [f"plain,{name}" for name in COMMANDS]
    assert not set(done.stderr.split()) & {entry.module for entry in COMMANDS.values()}
    done = _process(COMP_WORDS="memrep st", **asked)
    assert done.stdout.split() == ["plain,status"]
    done = _process(COMP_WORDS="memrep status --wa", **{**asked, "COMP_CWORD": "2"})
    assert done.stdout.split() == ["plain,--wait", "plain,--watch"]


def test_the_help_of_a_command_loads_no_other_one_and_nothing_of_a_node() -> None:
    assert not _loaded("--help") & {"memrep.cli.serve", "memrep.cli.asking", *HEAVY}
    assert not _loaded("status", "--help") & {"memrep.cli.serve", "memrep.cli.check", *HEAVY}


@pytest.mark.parametrize("command", ["status", "check"])
def test_who_asks_a_node_loads_nothing_of_one(command: str, tmp_path: Path) -> None:
    with admin_socket(tmp_path / "admin.sock", cluster()):
        loaded = _loaded(command, "--admin", str(tmp_path / "admin.sock"))
    assert f"memrep.cli.{command}" in loaded
    assert not {name for name in loaded if name in HEAVY or name.startswith("memrep.node.")}


@pytest.mark.parametrize("words", [(), ("--diff",)])
def test_who_asks_for_options_loads_nothing_of_a_node(words: tuple[str, ...], tmp_path: Path) -> None:
    with admin_socket(tmp_path / "admin.sock", TOLD_SAME if words else TOLD):
        loaded = _loaded("config", "--admin", str(tmp_path / "admin.sock"), *words)
    assert "memrep.cli.config" in loaded
    assert not loaded & {*HEAVY, "memrep.cli.serve"}
    assert not {name for name in loaded if name.startswith("memrep.node.")}
