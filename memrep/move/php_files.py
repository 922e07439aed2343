"""PHP's own files: a file `sess_ID` for each session, which ends so long after it was last written or touched.

PHP keeps a file locked (flock) while a page is at work on its session. Such a file is read when it is free,
within some seconds; whoever is still at work then is counted. What is written here is complete when it has its
name, and has the time of change from which PHP counts.

Laravel's files differ by their names alone: a file ID for each session.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import stat
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from memrep.errors import UsageError
from memrep.handlers.forms import ID, is_id
from memrep.handlers.item import STORED, THERE, Item, LeftOut
from memrep.move.pace import Pace, wall_s

#: What PHP puts before a session's name.
PHP_PREFIX: Final = "sess_"

#: How often files are asked for that were in use, and how long to rest between, s: pages are done by then.
_ROUNDS: Final = 10
_REST_S: Final = 0.3

_EMPTY: Final = LeftOut("empty", is_loss=False)
_GONE: Final = LeftOut("gone meanwhile", is_loss=False)
_ENDED: Final = LeftOut("at the end of their time", is_loss=False)
_IN_USE: Final = LeftOut("in use by a page all the time")
_NOT_ALLOWED: Final = LeftOut("not to be read by this user (be root, or who PHP runs as)")

_SAVE_PATH: Final = re.compile(r"(?:(\d+);)?(?:[0-7]+;)?(/.*)")
_DEPTH_MAX: Final = 8


class Directory(msgspec.Struct, frozen=True):
    """session.save_path of PHP's files.

    Attributes:
        path: where they are.
        depth: how many directories deep, each named by a character of the session's name.
    """

    path: str
    depth: int = 0


def parse_directory(text: str) -> Directory:
    """Read "PATH", "DEPTH;PATH" or "DEPTH;MODE;PATH".

    Raises:
        UsageError: it is none of them, or there is no such directory.
    """
    found = _SAVE_PATH.fullmatch(text)
    if found is None or int(found[1] or 0) > _DEPTH_MAX:
        raise UsageError(
            f"{text!r} is no save_path of files; write /var/lib/php/sessions or 2;/var/lib/php/sessions"
        )
    if not Path(found[2]).is_dir():
        raise UsageError(f"there is no directory {found[2]}; see session.save_path in `php -i`")
    return Directory(found[2], int(found[1] or 0))


class PhpFiles:
    """Sessions in files.

    Args:
        directory: where.
        lifetime_s: how long one lives after it was last used (session.gc_maxlifetime).
        prefix: what is before its name in that of the file.
        pace: lets time pass.
    """

    def __init__(
        self, directory: Directory, lifetime_s: float, prefix: str = PHP_PREFIX, pace: Pace | None = None
    ) -> None:
        self._prefix = prefix
        self._lifetime_s = lifetime_s
        self._pace = pace or Pace()
        try:
            self._paths = list(_files(directory.path, directory.depth, prefix))
        except PermissionError as error:
            raise UsageError(
                f"{error.filename} may not be listed; be root, or the user as which PHP runs"
            ) from None

    def count(self) -> int:
        """Tell how many files there are."""
        return len(self._paths)

    def close(self) -> None:
        """Do nothing: a file is open while it is read."""

    def read(self) -> Iterator[Item | LeftOut]:
        """Yield what is in each file; those that are in use last."""
        waiting: deque[str] = deque(self._paths)
        for last in range(_ROUNDS):
            for _ in range(len(waiting)):
                path = waiting.popleft()
                found = self._read(path)
                if found is _IN_USE and last < _ROUNDS - 1:
                    waiting.append(path)
                else:
                    yield found
            if not waiting:
                return
            self._pace.rest(_REST_S)

    def _read(self, path: str) -> Item | LeftOut:
        try:
            # Not a link, and nothing that an open would wait for: the directory may be everybody's to write in.
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return _GONE
        except PermissionError:
            return _NOT_ALLOWED
        except OSError as error:
            return LeftOut(error.strerror or "not to be read")
        try:
            about = os.fstat(number)
            if not stat.S_ISREG(about.st_mode):
                return LeftOut("no plain file", is_loss=False)
            fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
            about = os.fstat(number)
            left_ms = round((about.st_mtime + self._lifetime_s - wall_s()) * 1000)
            if left_ms <= 0 or not about.st_size:
                return _EMPTY if not about.st_size else _ENDED
            value = b"".join(iter(partial(os.read, number, 1 << 20), b""))
        except BlockingIOError:
            return _IN_USE
        except OSError as error:
            return LeftOut(error.strerror or "not to be read")
        finally:
            os.close(number)
        return Item(path.rpartition("/")[2].removeprefix(self._prefix).encode(), value, left_ms=left_ms)


def _files(path: str, depth: int, prefix: str) -> Iterator[str]:
    with os.scandir(path) as entries:
        for entry in entries:
            if depth:
                if len(entry.name) == 1 and entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path, depth - 1, prefix)
            elif entry.name.startswith(prefix) and is_id(entry.name.removeprefix(prefix)):
                yield entry.path


class PhpFilesTarget:
    """Writes sessions into files that PHP finds.

    Args:
        directory: where.
        lifetime_s: session.gc_maxlifetime of the PHP that reads them.
        owner: the user as which that runs; "" for who owns the directory, or runs this.
        only_missing: whether files that are there stay as they are.

    Raises:
        UsageError: there is no such user, or PHP could not read what would be written.
    """

    def __init__(
        self, directory: Directory, lifetime_s: float, owner: str = "", only_missing: bool = False
    ) -> None:
        self._directory = directory
        self._lifetime_s = lifetime_s
        self._only_missing = only_missing
        self._owner = _owner(directory, owner)

    def close(self) -> None:
        """Do nothing: a file is open while it is written."""

    def write(self, items: list[Item]) -> list[str]:
        """Write a file for each."""
        return [self._write(item) for item in items]

    def _write(self, item: Item) -> str:
        if not ID.fullmatch(item.name):
            return "with a name that no file can have"
        name = item.name.decode()
        directory = Path(self._directory.path, *name[: self._directory.depth])
        path, unfinished = directory / f"{PHP_PREFIX}{name}", directory / f".memrep-{name}"
        unfinished.unlink(missing_ok=True)
        try:
            number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return "without the directory that depth asks for (PHP's mod_files.sh makes them)"
        try:
            with os.fdopen(number, "wb") as file:
                file.write(item.value)
                file.flush()
                if self._owner is not None:
                    os.fchown(number, *self._owner)
                if item.left_ms is not None:
                    changed = wall_s() + item.left_ms / 1000 - self._lifetime_s
                    os.utime(number, (changed, changed))
            if not self._only_missing:
                unfinished.replace(path)
                return STORED
            try:
                path.hardlink_to(unfinished)
            except FileExistsError:
                return THERE
            return STORED
        finally:
            unfinished.unlink(missing_ok=True)


def _owner(directory: Directory, name: str) -> tuple[int, int] | None:
    """Return user and group of the files; None for who runs this."""
    if name:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            raise UsageError(f"--owner: there is no user {name}; name the one as which PHP runs") from None
        return user.pw_uid, user.pw_gid
    about = Path(directory.path).stat()
    if os.geteuid() != 0:
        return None
    if about.st_uid == 0:
        raise UsageError(
            "PHP could not read files of root's; say with --owner as which user it runs (www-data)"
        )
    return about.st_uid, about.st_gid
