"""What the kernel lets a process have is read from its cgroups, of either version; -m has to fit in there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memrep.daemon.cgroup import V1, V2, Group, Memory, groups_of
from memrep.engine.ceiling import full_at
from memrep.errors import UsageError

MB = 1 << 20
HUGE = "9223372036854771712"


class Machine:
    """A made-up /proc/self and a cgroup tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.proc = root / "proc"
        self.proc.mkdir()

    def v2(self, path: str, root: str = "/", **files: object) -> None:
        """The process is in this group of version 2, of whose tree the mount shows what is under `root`."""
        self.proc.joinpath("cgroup").write_text(f"0::{path}\n")
        mount = f"30 24 0:26 {root} {self.root}/cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
        self.proc.joinpath("mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mount)
        self.files("", **files)

    def v1(self, path: str, root: str = "/", **files: object) -> None:
        """The process is in this group of version 1."""
        self.proc.joinpath("cgroup").write_text(f"12:cpu,cpuacct:/elsewhere\n4:memory:{path}\n0::/unified\n")
        mounts = [
            f"35 31 0:32 / {self.root}/cpu rw - cgroup cgroup rw,cpu,cpuacct",
            f"36 31 0:33 {root} {self.root}/cg rw,relatime shared:9 - cgroup cgroup rw,memory",
            f"37 31 0:34 / {self.root}/unified rw - cgroup2 cgroup2 rw",
        ]
        self.proc.joinpath("mountinfo").write_text("\n".join(mounts) + "\n")
        self.files("", **files)

    def files(self, group: str, **files: object) -> None:
        """A group's files; `memory_max` is memory.max."""
        directory = self.root / "cg" / group
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            directory.joinpath(name.replace("memory_", "memory.")).write_text(f"{text}\n")

    @property
    def memory(self) -> Memory:
        return Memory(self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_each_group_on_the_way_up_to_the_mount_counts_in_either_version() -> None:
    v2 = "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
    assert groups_of("0::/system.slice/memrep.service\n", v2) == [
        Group(Path("/sys/fs/cgroup/system.slice/memrep.service"), V2),
        Group(Path("/sys/fs/cgroup/system.slice"), V2),
        Group(Path("/sys/fs/cgroup"), V2),
    ]
    v1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    assert groups_of("9:name=systemd:/x\n4:memory:/a\n", v1) == [
        Group(Path("/sys/fs/cgroup/memory/a"), V1),
        Group(Path("/sys/fs/cgroup/memory"), V1),
    ]


@pytest.mark.parametrize(
    ("path", "root", "seen"),
    [
        ("/docker/4f/x", "/docker/4f", ["x", ""]),  # the mount shows a part of the tree
        ("/docker/4f", "/docker/4f", [""]),
        ("/docker/4f", "/docker/5a", [""]),  # it is somewhere else, and sees its own as the root
        ("/docker/4", "/docker/4f", [""]),
        ("/../beside", "/", [""]),  # a namespace that it is not in
        ("/", "/", [""]),
        ("/a b/c", "/", ["a b/c", "a b", ""]),
    ],
)
def test_a_group_is_found_where_its_mount_shows_it(path: str, root: str, seen: list[str]) -> None:
    mount = f"30 24 0:26 {root} /c\\040g rw - cgroup2 cgroup2 rw\n"
    found = groups_of(f"0::{path}\n", mount)
    assert [group.directory for group in found] == [Path("/c g", one) for one in seen]


@pytest.mark.parametrize("text", ["", "garbage", "::", "0::", "4:memory", "1 2 3 - cgroup2", "\0" * 50])
def test_garbage_is_no_group_or_one_without_a_limit(text: str, machine: Machine) -> None:
    for name in ("cgroup", "mountinfo"):
        machine.proc.joinpath(name).write_text(text)
    machine.memory.check(1 << 40, 10)
    assert machine.memory.look() == (0, 0)


def test_where_proc_cannot_be_read_there_is_no_limit(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "nothing")
    memory.check(1 << 40, 10)
    assert memory.look() == (0, 0)


@pytest.mark.parametrize("said", ["max", HUGE, "", "-1", "many"])
def test_what_is_no_number_of_bytes_is_no_limit(said: str, machine: Machine) -> None:
    machine.v2("/a", memory_max=said)
    machine.memory.check(1 << 40, 10)
    machine.v1("/a", memory_limit_in_bytes=said)
    machine.memory.check(1 << 40, 10)
    assert machine.memory.look() == (0, 0)


def refusal(memory: Memory, megabytes: int, connections: int = 128) -> str:
    with pytest.raises(UsageError) as refused:
        memory.check(megabytes * MB, connections)
    return str(refused.value)


def test_an_m_that_cannot_fit_is_refused_with_both_numbers_and_both_remedies(machine: Machine) -> None:
    machine.v2("/memrep.service", memory_max="max")
    machine.files("memrep.service", memory_max=96 * MB, memory_high="max", memory_current=20 * MB)
    said = refusal(machine.memory, 64)
    assert "-m 64 with -c 128 needs up to 120 MB" in said
    assert f"a limit of 96 MB ({machine.root}/cg/memrep.service/memory.max)" in said
    assert "raise MemoryMax= (systemd) or the container's limit to 134 MB, or lower -m to 37 on every" in said
    machine.memory.check(37 * MB, 128)
    refusal(machine.memory, 38)
    refusal(machine.memory, 37, connections=200)
    machine.files("memrep.service", memory_max=134 * MB)
    machine.memory.check(64 * MB, 128)


def test_where_no_m_would_fit_there_are_too_many_clients(machine: Machine) -> None:
    machine.v2("/", memory_max=96 * MB)
    assert "or lower -c" in refusal(machine.memory, 1, connections=4096)


def test_the_least_limit_on_the_way_up_counts(machine: Machine) -> None:
    machine.v2("/slice/unit", memory_max="max")
    machine.files("slice", memory_max=96 * MB, memory_high=80 * MB)
    machine.files("slice/unit", memory_max=512 * MB, memory_high="max")
    assert "of 80 MB" in refusal(machine.memory, 64)
    assert "slice/memory.high" in refusal(machine.memory, 64)


def test_version_1_knows_limits_that_its_mount_does_not_show(machine: Machine) -> None:
    stat = f"cache 0\nhierarchical_memory_limit {96 * MB}\ntotal_inactive_file {MB}"
    machine.v1("/a", memory_limit_in_bytes=HUGE)
    machine.files("a", memory_limit_in_bytes=HUGE, memory_stat=stat, memory_usage_in_bytes=50 * MB)
    assert "of 96 MB" in refusal(machine.memory, 64)
    assert machine.memory.look() == (49 * MB, 96 * MB)


def test_what_is_taken_is_told_of_the_group_that_is_fullest(machine: Machine) -> None:
    machine.v2("/slice/unit", memory_max="max")
    machine.files("slice", memory_max=100 * MB, memory_current=80 * MB, memory_stat=f"inactive_file {2 * MB}")
    machine.files("slice/unit", memory_max=64 * MB, memory_current=MB, memory_stat="inactive_file 0")
    memory = machine.memory
    assert memory.look() == (78 * MB, 100 * MB)
    machine.files("slice/unit", memory_current=60 * MB)  # read at once; limits are read once a second
    assert memory.look() == (60 * MB, 64 * MB)
    memory.close()


def test_a_file_that_cannot_be_read_is_tried_again_and_a_limit_that_goes_is_gone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memrep.daemon.cgroup._AGAIN_S", 0.0)
    machine.v2("/", memory_max=100 * MB, memory_current=50 * MB, memory_stat="inactive_file 0")
    memory = machine.memory
    assert memory.look() == (50 * MB, 100 * MB)

    def refuse(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", refuse)
        assert memory.look() is None
    assert memory.look() == (50 * MB, 100 * MB)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", refuse)
        assert memory.look() == (50 * MB, 100 * MB)
        machine.proc.joinpath("cgroup").touch()
        Memory(machine.proc).check(1 << 40, 10)
    machine.files("", memory_max="max")
    assert memory.look() == (0, 0)


def test_ninety_percent_is_full() -> None:
    assert full_at(100 * MB) == 90 * MB
