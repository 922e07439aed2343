"""The admin socket: where an operator asks this node how it is, and nobody else can.

Theory: a node that has to be asked is one in trouble, so this socket is had before anything that may take long,
and given up last. Who may ask is left to the kernel, by the modes of a file: a unix socket needs no password,
and nobody reaches it from elsewhere.

Where it is, if the operator does not say: in the directory that systemd has made for this service, open to its
group; else in one of this user's own. A directory that is not this user's alone is not used, for somebody could
have put his own socket there, or another file.

A file that a killed process has left is replaced. One at which somebody answers is left alone: two nodes are
about to have the same place, and the ports will tell. An operator who has named a path hears of what is wrong
with it and corrects that. Where nobody has, the node does without, and says so: it is there for the clients.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import attrs

from memrep.addresses import Address
from memrep.daemon.guard import hang_up, in_words
from memrep.errors import AbsentError, UsageError
from memrep.events import NO_ADMIN_SOCKET, Line

#: What a unix socket's address holds besides the zero at its end (unix(7)).
_PATH_BYTES_MAX: Final = 107

_BACKLOG: Final = 64

_ELSEWHERE: Final = "choose another path, or `--admin none`"


@attrs.frozen(kw_only=True)
class AdminPath:
    """Where the admin socket is to be.

    Attributes:
        path: of its file.
        mode: of its file.
        named: whether the operator has named it.
        own_directory: whether its directory has to be this user's alone, and is made if it is not there.
    """

    path: str
    mode: int
    named: bool
    own_directory: bool


def find_admin_path(named: str | None, me: Address) -> AdminPath | None:
    """Return where the admin socket is to be; None if it is switched off.

    Args:
        named: what the operator gave as --admin, if anything.
        me: this node.
    """
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    mode = 0o660 if runtime else 0o600  # with systemd the group is the service's own
    if named is not None:
        off = named in ("", "none")
        return None if off else AdminPath(path=named, mode=mode, named=True, own_directory=False)
    if runtime:
        return AdminPath(path=f"{runtime}/admin.sock", mode=mode, named=False, own_directory=False)
    users = os.environ.get("XDG_RUNTIME_DIR")
    directory = f"{users}/memrep" if users else f"/tmp/memrep-{os.geteuid()}"
    path = f"{directory}/{me.host.replace('/', '_')}_{me.port}.sock"
    return AdminPath(path=path, mode=mode, named=False, own_directory=True)


class AdminSocket:
    """A unix socket that listens, from now on until it is closed.

    Args:
        where: it is to be; None for nowhere.

    Raises:
        UsageError: it cannot be had where the operator wants it.

    Attributes:
        sock: the socket; None if there is none.
        warning: why there is none though there should be; None if nothing is to be said.
    """

    def __init__(self, where: AdminPath | None) -> None:
        self.sock: socket.socket | None = None
        self.warning: Line | None = None
        self._path = Path()
        self._file = (0, 0)
        if where is None:
            return
        try:
            self._open(where)
        except UsageError as error:
            if where.named:
                raise
            self.warning = NO_ADMIN_SOCKET(error=str(error))

    def __str__(self) -> str:
        """Return the path of its file."""
        return str(self._path)

    def close(self) -> None:
        """Give it up, and take its file away unless that is somebody else's by now."""
        if self.sock is None:
            return
        with suppress(OSError):
            if _identity(self._path) == self._file:
                self._path.unlink()
        hang_up(self.sock)
        self.sock = None

    def _open(self, where: AdminPath) -> None:
        self._path = Path(where.path)
        _check(where.path)
        try:
            if where.own_directory:
                _own(self._path.parent)
            _make_way(self._path)
            self.sock = _listen(self._path, where.mode)
            self._file = _identity(self._path)
        except OSError as error:
            if self.sock is not None:
                hang_up(self.sock)
                self.sock = None
            raise UsageError(
                f"--admin {where.path}: {in_words(error)}; its directory must exist and be writable, "
                f"or {_ELSEWHERE}"
            ) from None


def _check(path: str) -> None:
    """Check that a unix socket can have such a path, which the kernel would not say in words."""
    size = len(os.fsencode(path))
    if size > _PATH_BYTES_MAX:
        raise UsageError(
            f"--admin {path}: a unix socket's path has {_PATH_BYTES_MAX} bytes at most, this one has {size}; "
            f"{_ELSEWHERE}"
        )
    if "\0" in path:
        raise UsageError(f"--admin {path!r} is no path of a file; {_ELSEWHERE}")


def _own(directory: Path) -> None:
    """Make a directory that is this user's alone, or check that it is."""
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UsageError(
            f"--admin: {directory} must be a directory of this user's in which nobody else can write; "
            f"remove it, {_ELSEWHERE}"
        )


def _make_way(path: Path) -> None:
    """Remove a socket at which nobody listens any more; leave everything else alone.

    Raises:
        UsageError: something else is there.
        OSError: what is there cannot be told, or not be removed.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"--admin {path} is there, and no socket; {_ELSEWHERE}")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        number = probe.connect_ex(str(path))
    if number in (0, errno.EAGAIN):  # or so many have come that no more can wait
        raise AbsentError(f"--admin {path}: another process answers there; stop it first, or {_ELSEWHERE}")
    if number == errno.ECONNREFUSED:
        path.unlink(missing_ok=True)
    elif number != errno.ENOENT:
        raise OSError(number, os.strerror(number))


def _listen(path: Path, mode: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with ExitStack() as given_back:
        given_back.callback(hang_up, sock)
        sock.setblocking(False)
        # By the umask the file is never open to more than these, not even for a moment.
        umask = os.umask(0o777 & ~mode)
        try:
            sock.bind(str(path))
        finally:
            os.umask(umask)
        sock.listen(_BACKLOG)
        given_back.pop_all()
    return sock


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
