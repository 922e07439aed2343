"""`memrep import`: what php.ini says decides what is read, and as what it is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.cli.admin_socket import run
from tests.unit.move.scripted import scripted
from tests.unit.move.test_resp import told

HELLO = (b"mn\r\n", b"MN\r\n")
ID = "0123456789abcdef0123456789"


def _files(tmp_path: Path, prefix: str = "sess_") -> Path:
    directory = tmp_path / "sessions"
    directory.mkdir()
    (directory / f"{prefix}{ID}").write_bytes(b"n|i:1;")
    return directory


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--as", "memcache"], ID),
        (["--as", "memcache", "--prefix", "app_"], f"app_{ID}"),
        (["--as", "memcached"], f"memc.sess.key.{ID}"),
        (["--as", "redis"], f"PHPREDIS_SESSION:{ID}"),
    ],
)
def test_files_get_the_keys_of_the_handler_that_reads_them(
    arguments: list[str], key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = _files(tmp_path)
    due = f"ms {key} 6 T3000 F0 MS\r\nn|i:1;\r\n".encode()
    with scripted([HELLO, (due, b"HD\r\n")]) as server:
        # Not yet a millisecond old, or a begun second more is left than whole ones.
        os.utime(directory / f"sess_{ID}", (2e9, 2e9))
        (directory / f"sess_{ID}").touch()
        order = ["import", f"files:{directory}", *arguments, "--node", str(server), "--lifetime", "3000"]
        done = run(capfd, *order)
    assert done == (0, "1 found, 1 written (6 bytes)\n", "")


def test_laravels_files_are_kept_as_laravel_keeps_them_in_its_cache(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    directory = _files(tmp_path, "")
    due = f'ms db_cache:{ID} 13 T7200 F0 M+\r\ns:6:"n|i:1;";\r\n'.encode()
    with scripted([HELLO, (due, b"NS\r\n")]) as server:
        order = ["import", f"laravel-files:{directory}", "--as", "laravel", "--prefix", "db_cache:"]
        done = run(capfd, *order, "--node", str(server), "--lifetime", "7200", "--only-missing")
    assert done == (0, "1 found, 0 written (0 bytes), 1 there already\n", "")


def test_a_prefix_and_a_database_stay_as_they_are_with_the_same_handler(
    capfd: pytest.CaptureFixture[str],
) -> None:
    ask = (told(b"SELECT", b"3"), b"+OK\r\n")
    scan = told(b"SCAN", b"0", b"MATCH", b"app:*", b"COUNT", b"500")
    key = b"app:abc"
    reading = [
        ask,
        (scan, b"*2\r\n$1\r\n0\r\n*1\r\n$7\r\napp:abc\r\n"),
        (told(b"GET", key) + told(b"PTTL", key), b"$1\r\nx\r\n:5000\r\n"),
    ]
    writing = [ask, (told(b"SET", key, b"x", b"PX", b"5000"), b"+OK\r\n")]
    with (
        scripted([ask, (told(b"DBSIZE"), b":1\r\n")], reading) as origin,
        scripted([HELLO]) as node,
        scripted(writing) as redis,
    ):
        order = ["import", f"redis:tcp://{origin}?database=3&prefix=app:", "--node", str(node)]
        done = run(capfd, *order, "--redis", str(redis))
    assert done == (0, "1 found, 1 written (1 bytes)\n", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["files:/tmp"], "say with --as"),
        (["files:/tmp", "--as", "laravel"], "takes --prefix"),
        (["/tmp"], "does not say whence"),
        (["lines:/no/such/file", "--as", "redis"], "No such file"),
        (["files:/no/such/directory", "--as", "redis"], "there is no directory"),
        (["redis:one", "--from-password-file", "/no/such/file"], "--from-password-file"),
        (["redis:one", "--rate", "0"], "0"),
        (["redis:one", "--lifetime", "nan"], "no number of seconds"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    arguments: list[str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = [[HELLO]] if says in {"No such file", "there is no directory"} else []
    with scripted(*asked) as server:
        done = run(capfd, "import", *arguments, "--node", str(server))
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1
