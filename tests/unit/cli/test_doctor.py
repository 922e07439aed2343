"""`memrep doctor` takes what `memrep serve` takes, and its exit status says whether something is to be done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memrep.cli import doctor
from memrep.daemon.options import ServeOptions
from memrep.doctor.finding import Finding
from tests.unit.cli.admin_socket import admin_socket, run
from tests.unit.status.clusters import cluster

FINE = Finding("ports", "ok", "127.0.0.1:11211 for clients: free")
NOTED = Finding("way there", "note", "10.2.2.2:11211 for clients: its port refuses")
WRONG = Finding("ports", "wrong", "11211 is taken", "see who has it")


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the examination finds; and whether the node is said to run."""
    found = [FINE, NOTED]

    def examine(options: ServeOptions, runs: bool) -> Iterator[Finding]:
        yield from found
        yield Finding("runs", "note", str(runs))

    monkeypatch.setattr(doctor, "examine", examine)
    return found


def test_a_node_that_can_start_is_told_so(findings: list[Finding], capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "doctor")
    assert done.code == 0
    assert done.out.splitlines()[:2] == [
        "ok      options      this node is 127.0.0.1:11211, and has no others",
        "ok      ports        127.0.0.1:11211 for clients: free",
    ]
    assert done.out.endswith("\nnothing hinders this node\n")


def test_what_is_wrong_is_told_with_what_to_do(
    findings: list[Finding], capfd: pytest.CaptureFixture[str]
) -> None:
    findings.append(WRONG)
    done = run(capfd, "doctor")
    assert done.code == 1
    assert "wrong   ports        11211 is taken\n                     -> see who has it\n" in done.out
    assert done.out.endswith("\n1 of 5 want something done\n")


def test_it_is_told_as_json_too(findings: list[Finding], capfd: pytest.CaptureFixture[str]) -> None:
    findings.append(WRONG)
    done = run(capfd, "doctor", "-w", "json")
    assert done.code == 1
    assert json.loads(done.out)[-2] == {
        "subject": "ports", "verdict": "wrong", "text": "11211 is taken", "remedy": "see who has it"
    }  # fmt: skip


def test_options_with_which_no_node_would_start_are_a_finding(capfd: pytest.CaptureFixture[str]) -> None:
    done = run(capfd, "doctor", "--nodes", "203.0.113.7:11211")
    assert done.code == 1
    assert done.out.startswith("wrong   options      none of --nodes (203.0.113.7:11211) is an address of this")
    assert "-> correct the list" in done.out


def test_the_config_file_of_the_node_counts(
    findings: list[Finding], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text("port = 22122\n")
    assert "this node is 127.0.0.1:22122" in run(capfd, "doctor", "--config", config).out
    config.write_text("prot = 22122\n")
    done = run(capfd, "doctor", "--config", config)
    assert (done.code, done.out) == (2, "")
    assert "there is no option 'prot'" in done.err


def test_a_node_that_runs_is_known_by_its_own_socket(
    findings: list[Finding], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "admin.sock"
    well = cluster()
    with admin_socket(path, well):
        own = run(capfd, "doctor", "--self", well.asked, "--admin", path)
        other = run(capfd, "doctor", "--port", "22122", "--admin", path)
    assert "note    runs         True" in own.out
    assert "note    runs         False" in other.out


def test_its_help_leaves_the_options_of_a_node_to_that(capfd: pytest.CaptureFixture[str]) -> None:
    told = run(capfd, "doctor", "--help").out
    assert "--write-out" in told
    assert "--failure-timeout" not in told
