"""The memory cgroup: how much memory the kernel lets this process have, and how much of it is taken.

Problem: systemd's MemoryMax= and a container's limit end a process that has more. Nodes hold the same, so they
reach such a limit together, and die together, with all sessions. -m is no help if it does not fit in there.

So the limit is read at the start, and an -m that cannot fit is refused. While the node runs it looks how full
its groups are, for the store to take no more when it gets close (ceiling.py). A limit that is set later counts
from then on.

A process is in one group, and that in others, up to the root; each may have a limit, and what others have taken
in it counts, too. Only the file cache that nobody uses does not: the kernel takes that back by itself.
memory.high counts as a limit, for above it the kernel makes the process crawl.

Whatever cannot be read is taken for no limit: a machine without cgroups, or with others than these, has none.
What cannot be read for once is taken for what it was before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

import attrs

from memrep.daemon.files import read_file
from memrep.engine.ceiling import full_at
from memrep.errors import UsageError
from memrep.flow_control import ROUND_MAX

#: What a node takes that holds nothing: 26 MB on Python 3.11, and a little to spare.
_OWN: Final = 32 << 20

#: What a connection takes at most that is not counted in any of the queues.
_CONNECTION: Final = 32 << 10

#: With what clients have sent half, and what they have not read, an -m becomes so much (flow_control.py,
#: intake.py).
_WITH_QUEUES: Final = 5 / 4

#: Version 1 says "no limit" by the largest number of pages.
_NO_LIMIT: Final = 1 << 60

#: How often (s) the limits are read anew, and how much of what is taken is file cache.
_AGAIN_S: Final = 1.0

#: How often (s) it is looked whether there is a limit by now: that is a dozen files for what hardly ever comes.
_WITHOUT_AGAIN_S: Final = 5.0

_FILE_BYTES: Final = 1 << 14

#: What a line of mountinfo has before its hyphen, at least, and behind it.
_FIELDS: Final = 6
_SOURCE_FIELDS: Final = 3

_MB: Final = 1 << 20


@attrs.frozen
class Version:
    """How one of the two versions of cgroups names its files.

    Attributes:
        limits: those that hold a limit.
        taken: the one that holds what is taken.
        cached: the name in memory.stat of the cache that nobody uses.
        inherited: the name in memory.stat of the least limit on the way up, if there is one.
    """

    limits: tuple[str, ...]
    taken: str
    cached: str
    inherited: str = ""


V1: Final = Version(
    ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file", "hierarchical_memory_limit"
)
V2: Final = Version(("memory.max", "memory.high"), "memory.current", "inactive_file")


@attrs.frozen
class Group:
    """A group of processes.

    Attributes:
        directory: where its files are.
        version: how they are named.
    """

    directory: Path
    version: Version

    def limit(self) -> tuple[int, Path] | None:
        """Return how much it may take, bytes, and which file says so; None if there is no limit.

        Raises:
            OSError: that cannot be told now.
        """
        said: list[tuple[int, Path]] = []
        for name in self.version.limits:
            path = self.directory / name
            text = _text(path).strip()
            if text.isdecimal():
                said.append((int(text), path))
        if inherited := self.told(self.version.inherited):
            said.append((inherited, self.directory / "memory.stat"))
        return min((one for one in said if one[0] < _NO_LIMIT), default=None)

    def told(self, name: str) -> int:
        """Return the number of this name in memory.stat; 0 if there is none.

        Raises:
            OSError: that cannot be told now.
        """
        if not name:
            return 0
        found = re.search(rf"^{name} (\d+)$", _text(self.directory / "memory.stat"), re.MULTILINE)
        return int(found[1]) if found else 0


def groups_of(cgroup: str, mountinfo: str) -> list[Group]:
    """Return the groups that a process is in, its own first.

    Args:
        cgroup: its /proc/PID/cgroup.
        mountinfo: its /proc/PID/mountinfo.
    """
    found = []
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            version, kind = V2, "cgroup2"
        elif "memory" in controllers.split(","):
            version, kind = V1, "cgroup"
        else:
            continue
        for root, place in _mounts(mountinfo, kind):
            inside = _inside(path, root)
            found += [Group(Path(place, *inside[:depth]), version) for depth in range(len(inside), -1, -1)]
            break
    return found


def _mounts(mountinfo: str, kind: str) -> Iterator[tuple[str, str]]:
    """Yield each place where this kind of cgroups with memory is mounted, and which of them is seen there."""
    for line in mountinfo.splitlines():
        words, _, rest = line.partition(" - ")
        fields, source = words.split(), rest.split()
        if len(fields) < _FIELDS or len(source) < _SOURCE_FIELDS or source[0] != kind:
            continue
        if kind == "cgroup2" or "memory" in source[2].split(","):
            yield _spelled_out(fields[3]), _spelled_out(fields[4])


def _spelled_out(field: str) -> str:
    """Spell out a path in mountinfo, in which blanks and their like are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _inside(path: str, root: str) -> list[str]:
    """Return the folders from mount to group; none if it is elsewhere: a container sees its own as root."""
    whole, above = path.strip("/").split("/"), root.strip("/").split("/")
    if above == [""]:
        above = []
    if whole == [""] or ".." in whole or whole[: len(above)] != above:
        return []
    return whole[len(above) :]


def _text(path: Path) -> str:
    """Return what a small file holds; nothing if there is none.

    Raises:
        OSError: it cannot be read now.
    """
    try:
        return read_file(path, _FILE_BYTES).decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""


def _limit_of(group: Group) -> tuple[int, Path] | None:
    """Return the limit of a group, as far as that can be told now."""
    try:
        return group.limit()
    except OSError:
        return None


class Memory:
    """What this process may have of the machine's memory.

    Args:
        process: its folder in /proc.
    """

    def __init__(self, process: Path = Path("/proc/self")) -> None:
        self._groups: list[Group] = []
        with suppress(OSError):
            self._groups = groups_of(_text(process / "cgroup"), _text(process / "mountinfo"))
        self._limited: list[_Limited] = []
        self._next = 0.0

    def check(self, memory: int, connections: int) -> None:
        """Check that so much for entries (bytes) fits in, with so many clients.

        Raises:
            UsageError: it does not.
        """
        found = [limit for limit in map(_limit_of, self._groups) if limit is not None]
        if not found:
            return
        limit, path = min(found)
        besides = _OWN + ROUND_MAX + connections * _CONNECTION
        needed = besides + int(memory * _WITH_QUEUES)
        if needed <= full_at(limit):
            return
        fits = int((full_at(limit) - besides) / _WITH_QUEUES) // _MB
        lower = f"-m to {fits} on every server" if fits > 0 else "-c"
        raise UsageError(
            f"-m {memory // _MB} with -c {connections} needs up to {-(-needed // _MB)} MB; the memory cgroup "
            f"has a limit of {limit // _MB} MB ({path}), of which 90 % may be used; raise MemoryMax= (systemd) "
            f"or the container's limit to {needed * 10 // 9 // _MB + 1} MB, or lower {lower}"
        )

    def look(self) -> tuple[int, int] | None:
        """Return how much is taken and how much there may be, bytes, where that is closest; None if not known.

        Where there is no limit it is said to be 0.
        """
        now = monotonic()
        if now >= self._next:
            self._look_for_limits()
            self._next = now + (_AGAIN_S if self._limited else _WITHOUT_AGAIN_S)
        if not self._limited:
            return 0, 0
        looks = [(taken, one.limit) for one in self._limited if (taken := one.taken()) is not None]
        return max(looks, key=lambda look: look[0] - full_at(look[1]), default=None)

    def _look_for_limits(self) -> None:
        known = {one.group: one for one in self._limited}
        self._limited = []
        for group in self._groups:
            one = known.get(group) or _Limited(group)
            with suppress(OSError):
                found = group.limit()
                one.limit = 0 if found is None else found[0]
                if one.limit:
                    one.cached = group.told(group.version.cached)
            if one.limit:
                self._limited.append(one)
                known.pop(group, None)
        for one in known.values():
            one.close()

    def close(self) -> None:
        """Look no more."""
        for one in self._limited:
            one.close()
        self._limited = []


class _Limited:
    """A group that has a limit; the file with what it has taken is kept open, for it is read at every tick."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.limit = 0
        self.cached = 0
        self._fd = -1

    def taken(self) -> int | None:
        """Return what its processes have taken and the kernel would not take back by itself, bytes."""
        try:
            if self._fd < 0:
                path = self.group.directory / self.group.version.taken
                self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return max(0, int(os.pread(self._fd, 64, 0)) - self.cached)
        except (OSError, ValueError):
            self.close()
            return None

    def close(self) -> None:
        """Give the file back."""
        if self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1
