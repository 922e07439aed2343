"""`memrep dump` and `memrep restore`: what is given to whom, and that nothing is left behind of what fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from memrep.handlers.item import Item
from memrep.move.archive import ArchiveTarget, Made
from tests.unit.cli.admin_socket import run
from tests.unit.move.scripted import Conversation, scripted
from tests.unit.move.test_node import HELLO, INFO, scan, select
from tests.unit.move.test_resp import told

ID = b"0123456789abcdef0123456789"
ERR = b"-ERR SELECT is not allowed in cluster mode\r\n"


def _listing(*keys: bytes) -> Conversation:
    """What a node's port for Redis' clients tells, which has one database."""
    one = (told(b"SELECT", b"1"), ERR)
    return [INFO, *select(0, len(keys)), one, (told(b"SELECT", b"0"), b"+OK\r\n"), scan(*keys)]


def _reading(*keys: bytes, left_s: int = 1440) -> Conversation:
    asked = b"".join(b"mg %b f t v u\r\n" % key for key in keys)
    return [HELLO, (asked, (b"VA 6 f0 t%d\r\nn|i:1;\r\n" % left_s) * len(keys))]


def test_a_dump_is_restored_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump"
    with scripted(_listing(ID)) as redis, scripted(_reading(ID)) as node:
        done = run(capfd, "dump", path, "--node", str(node), "--redis", str(redis))
    assert done == (0, "1 found, 1 written (6 bytes)\n", "")
    due = b"ms %b 6 T1440 F0 M+\r\nn|i:1;\r\n" % ID
    with scripted([HELLO, (due, b"HD\r\n")]) as node:
        done = run(capfd, "restore", path, "--node", str(node), "--only-missing")
    assert done == (0, "1 found, 1 written (6 bytes)\n", "")


def test_a_dump_that_fails_on_the_way_leaves_the_one_before(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"the one before")
    broken = [HELLO, (b"mg %b f t v u\r\n" % ID, b"VA 6 f0 t1440\r\nn|")]
    with scripted(_listing(ID)) as redis, scripted(broken) as node:
        done = run(capfd, "dump", path, "--node", str(node), "--redis", str(redis))
    assert done.code == 3
    assert "has closed the connection; 0 were done" in done.err
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"the one before"]


def test_a_dry_run_writes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with scripted(_listing(ID)) as redis, scripted(_reading(ID)) as node:
        done = run(capfd, "dump", tmp_path / "dump", "--node", str(node), "--redis", str(redis), "--dry-run")
    assert done == (0, "1 found, 1 would be written (6 bytes)\n", "")
    assert not list(tmp_path.iterdir())


def test_time_is_counted_down_if_that_is_wished(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump"
    target = ArchiveTarget(str(path), Made(1_000.0, "one:1", "0.1"))  # long ago
    target.write([Item(b"short", b"x", 0, 60_000), Item(b"for ever", b"y")])
    target.finish()
    due = b"ms Zm9yIGV2ZXI= 1 F0 MS b\r\ny\r\n"
    with scripted([HELLO, (due, b"HD\r\n")]) as node:
        done = run(capfd, "restore", path, "--node", str(node), "--count-down")
    assert done.out == "2 found, 1 written (1 bytes), 1 left out: 1 at the end of their time\n"


def test_of_a_session_under_two_names_the_one_that_lasts_longest_stays(
    capfd: pytest.CaptureFixture[str],
) -> None:
    keys = [ID, b"memc.sess.key." + ID, b"PHPREDIS_SESSION:" + ID, b"something:else"]
    asked = b"".join(b"mg %b f t v u\r\n" % key for key in keys)
    answers = b"VA 1 f0 t9\r\na\r\nVA 1 f0 t20\r\nb\r\nVA 1 f0 t10\r\nc\r\nVA 1 f0 t9\r\nd\r\n"
    key = b"app:" + ID
    due = told(b"SET", key, b"a", b"PX", b"9000") + told(b"SET", key, b"b", b"PX", b"20000")
    with (
        scripted(_listing(*keys)) as redis,
        scripted([HELLO, (asked, answers)]) as node,
        scripted([(due, b"+OK\r\n+OK\r\n")]) as before,
    ):
        place = f"tcp://{before}?prefix=app:"
        done = run(capfd, "dump", "--as", "redis", place, "--node", str(node), "--redis", str(redis))
    assert done.code == 0
    assert "2 written" in done.out
    assert "1 under a name that another one has that lasts longer" in done.out
    assert "1 under the name of no session" in done.out


def test_a_torn_file_is_refused_in_one_line_before_anything_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"memrep dump 1\n\0\0")
    with scripted() as node:
        done = run(capfd, "restore", path, "--node", str(node))
    assert (done.code, done.out) == (2, "")
    said = "is not as it was written: its end is missing; nothing was restored, take another dump"
    assert done.err == f"memrep: {path} {said}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dump", "/no/such/directory/dump"], "--redis PORT"),
        (["dump", "file", "--only-missing"], "mean nothing"),
        (["restore", "/no/such/file"], "No such file"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    arguments: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run(capfd, *arguments, "--node", "127.0.0.1:1")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err
