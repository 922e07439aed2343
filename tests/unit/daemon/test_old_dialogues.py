"""A session is seen with flags and time left, and whether a page is at work on it; else it is said why not."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest
from trio.testing import memory_stream_pair

from memrep.daemon.old_dialogues import Seen, ask_memcached, ask_redis, greet_redis, look_at_file
from memrep.daemon.old_stream import OldStream, SilentError
from memrep.handlers.item import Item
from memrep.handlers.old_store import OldStore, parse_old_store
from memrep.handlers.places import Server

SID = b"0123456789abcdefghijklmnop"
POOL = parse_old_store("memcached:10.0.0.1:11211")
REDIS = parse_old_store("redis:10.0.0.1:6379")


async def scripted(*replies: bytes) -> tuple[OldStream, list[bytes]]:
    """A stream on which these replies lie already, and what is said on it."""
    ours, theirs = memory_stream_pair()
    for reply in replies:
        await theirs.send_all(reply)
    said: list[bytes] = []

    class _Heard(OldStream):
        async def send(self, data: bytes) -> None:
            said.append(data)

    return _Heard(ours), said


@pytest.mark.parametrize(
    ("lock", "session", "seen"),
    [
        (b"EN\r\n", b"VA 3 f2 t90\r\nabc\r\n", Seen(Item(SID, b"abc", 2, 90_000))),
        (b"EN\r\n", b"VA 3 f0 t-1\r\nabc\r\n", Seen(Item(SID, b"abc"))),
        (b"EN\r\n", b"EN\r\n", Seen()),
        (b"VA 1\r\n0\r\n", b"EN\r\n", Seen()),
        (b"VA 1\r\n1\r\n", b"VA 0 f0 t0\r\n\r\n", Seen(Item(SID, b"", 0, 1000), locked=True)),
    ],
)
async def test_memcached_tells_time_and_flags_and_the_lock_is_looked_at_first(
    lock: bytes, session: bytes, seen: Seen
) -> None:
    stream, said = await scripted(lock, session)
    assert await ask_memcached(stream, POOL, SID) == seen
    assert said == [b"mg memc.sess.key.lock.%b v\r\nmg memc.sess.key.%b f t v\r\n" % (SID, SID)]


@pytest.mark.parametrize(("lock", "locked"), [(b"", False), (b"1", True), (b"0", False)])
async def test_a_memcached_without_meta_commands_is_asked_by_get(lock: bytes, locked: bool) -> None:
    key = b"memc.sess.key." + SID
    held = b"VALUE memc.sess.key.lock.%b 768 1\r\n%b\r\n" % (SID, lock) if lock else b""
    stream, said = await scripted(b"ERROR\r\nERROR\r\n", held + b"VALUE %b 2 3\r\nabc\r\nEND\r\n" % key)
    assert await ask_memcached(stream, POOL, SID) == Seen(Item(SID, b"abc", 2, 1_440_000), locked)
    assert said[1] == b"get memc.sess.key.lock.%b %b\r\n" % (SID, key)


@pytest.mark.parametrize(
    "reply",
    [
        b"SERVER_ERROR out of order\r\n",
        b"VA x\r\n",
        b"VA 99999999999\r\n",
        b"ERROR\r\nERROR\r\nCLIENT_ERROR\r\n",
    ],
)
async def test_what_memcached_says_otherwise_is_told(reply: bytes) -> None:
    stream, _ = await scripted(reply)
    with pytest.raises(SilentError):
        await ask_memcached(stream, POOL, SID)


@pytest.mark.parametrize(
    ("replies", "seen"),
    [
        (b":0\r\n$3\r\nabc\r\n:5000\r\n", Seen(Item(SID, b"abc", 0, 5000))),
        (b":0\r\n$3\r\nabc\r\n:-1\r\n", Seen(Item(SID, b"abc"))),
        (b":0\r\n$3\r\nabc\r\n:-2\r\n", Seen()),
        (b":1\r\n$-1\r\n:-2\r\n", Seen(None, locked=True)),
        (b":0\r\n-WRONGTYPE Operation against a key\r\n:-1\r\n", Seen()),
    ],
)
async def test_redis_tells_time_and_the_lock_is_looked_at_first(replies: bytes, seen: Seen) -> None:
    stream, said = await scripted(replies)
    assert await ask_redis(stream, REDIS, SID) == seen
    assert said[0].startswith(
        b"*2\r\n$6\r\nEXISTS\r\n$48\r\nPHPREDIS_SESSION:" + SID + b"_LOCK\r\n*2\r\n$3\r\nGET"
    )


@pytest.mark.parametrize("reply", [b"-NOAUTH Authentication required.\r\n", b"-LOADING\r\n"])
async def test_a_redis_that_refuses_has_not_answered(reply: bytes) -> None:
    stream, _ = await scripted(reply * 3)
    with pytest.raises(SilentError, match="it says"):
        await ask_redis(stream, REDIS, SID)


async def test_what_is_not_redis_is_told() -> None:
    stream, _ = await scripted(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(SilentError, match="not Redis' protocol"):
        await ask_redis(stream, REDIS, SID)


async def test_redis_is_told_who_asks_and_for_which_database() -> None:
    server = Server("old", 6379, user="app", password="secret", database=3)
    stream, said = await scripted(b"+OK\r\n+OK\r\n")
    await greet_redis(stream, server)
    assert said == [
        b"*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$6\r\nsecret\r\n",
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n",
    ]
    stream, _ = await scripted(b"-WRONGPASS\r\n")
    with pytest.raises(SilentError, match="WRONGPASS"):
        await greet_redis(stream, server)


# --- files


def in_files(directory: Path) -> OldStore:
    return parse_old_store(f"files:{directory} as=memcache")


def write(directory: Path, value: bytes, age_s: float = 0) -> Path:
    path = directory / f"sess_{SID.decode()}"
    path.write_bytes(value)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_a_file_is_seen_with_the_time_that_it_has_left(tmp_path: Path) -> None:
    write(tmp_path, b"n|i:1;", age_s=440)
    seen = look_at_file(in_files(tmp_path), SID)
    assert seen.item is not None and seen.item.value == b"n|i:1;" and not seen.locked
    assert 990_000 < (seen.item.left_ms or 0) <= 1_000_000


def test_what_is_not_there_empty_or_at_its_end_is_no_session(tmp_path: Path) -> None:
    assert look_at_file(in_files(tmp_path), SID) == Seen()
    write(tmp_path, b"")
    assert look_at_file(in_files(tmp_path), SID) == Seen()
    write(tmp_path, b"n|i:1;", age_s=1441).unlink()
    (tmp_path / f"sess_{SID.decode()}").mkdir()
    assert look_at_file(in_files(tmp_path), SID) == Seen()


def test_a_file_that_a_page_has_locked_is_told_so(tmp_path: Path) -> None:
    with write(tmp_path, b"n|i:1;").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert look_at_file(in_files(tmp_path), SID).locked
    assert not look_at_file(in_files(tmp_path), SID).locked


def test_a_link_or_a_directory_that_is_gone_is_no_answer(tmp_path: Path) -> None:
    path = write(tmp_path, b"n|i:1;")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SilentError):
        look_at_file(in_files(tmp_path), SID)
    with pytest.raises(SilentError, match="no such directory"):
        look_at_file(in_files(tmp_path / "gone"), SID)
