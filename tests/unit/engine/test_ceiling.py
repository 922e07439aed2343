"""The store stops growing when its cgroup is nearly full, and never shrinks to nothing."""

from __future__ import annotations

from memrep.engine.ceiling import Ceiling
from memrep.log_limit import REPEAT_MS
from memrep.node.shell import ProcessInfo
from memrep.storage.store import ENTRY_BYTES
from tests.harness.lone_node import LoneConnection, LoneNode

MB = 1 << 20
LIMIT = 100 * MB

#: A hundredth of a limit that is large enough for its share to count.
PERCENT = 2 * MB


def ceiling(*looks: tuple[float, float]) -> Ceiling:
    """After looks at so many percent taken, with so many in the store; -m is 64 percent."""
    one = Ceiling()
    for taken, used in looks:
        one.look((int(taken * PERCENT), 100 * PERCENT), int(used * PERCENT), 64 * PERCENT)
    return one


def percent(one: Ceiling) -> float:
    assert one.bytes is not None
    return one.bytes / PERCENT


def test_without_a_limit_and_without_a_word_there_is_no_ceiling() -> None:
    one = Ceiling()
    one.look((0, 0), 10 * MB, 64 * MB)
    assert (one.bytes, one.full) == (None, False)
    one.look(None, 10 * MB, 64 * MB)
    assert (one.bytes, one.full) == (None, False)


def test_the_store_may_grow_by_what_is_left_below_ninety_percent() -> None:
    assert percent(ceiling((60, 30))) == 60
    assert percent(ceiling((60, 30), (85, 40))) == 45
    assert not ceiling((60, 30), (85, 40)).full


def test_above_the_store_gives_way_twice_and_stays_there_while_no_more_is_taken() -> None:
    one = ceiling((88, 50), (91, 50.5))
    assert (percent(one), one.full) == (48.5, True)
    one = ceiling((88, 50), (91, 50.5), (91, 48.5), (91, 1))  # entries run out, and nothing comes back of that
    assert percent(one) == 48.5
    assert percent(ceiling((88, 50), (91, 50.5), (92, 48.5), (93, 40))) == 38


def test_what_is_held_while_evictions_are_on_their_way_lifts_it_no_higher() -> None:
    assert percent(ceiling((88, 50), (91, 50), (92, 54))) == 46


def test_what_wavers_is_no_news_each_time() -> None:
    assert percent(ceiling((88, 50), *[(91, 48), (89.5, 48)] * 20)) == 48.5
    assert percent(ceiling((88, 50), (91, 48), (88.5, 48), (91, 48))) == 46


def test_it_never_gets_below_a_quarter_of_what_the_operator_allows() -> None:
    assert percent(ceiling((89, 50), *[(91 + n / 10, max(0, 50 - n)) for n in range(80)])) == 16


def test_of_a_small_limit_twelve_megabytes_are_spared() -> None:
    one = Ceiling()
    one.look((60 * MB, 96 * MB), 30 * MB, 64 * MB)
    assert one.bytes == 54 * MB
    one.look((85 * MB, 96 * MB), 54 * MB, 64 * MB)
    assert one.full


def test_a_first_look_that_finds_everything_full_leaves_what_is_there() -> None:
    assert percent(ceiling((94, 40))) == 40


def test_it_is_lifted_bit_by_bit_and_gone_below_80_percent() -> None:
    full = [(88, 50.0), (91, 50.0)]
    one = ceiling(*full, (88, 50))
    assert (percent(one), one.full) == (52, True)
    one = ceiling(*full, (88, 20))  # what has run out can come again
    assert (percent(one), one.full) == (48, True)
    one = ceiling(*full, (79, 50))
    assert (percent(one), one.full) == (61, False)


def test_a_limit_that_is_taken_away_takes_it_away() -> None:
    one = ceiling((88, 50), (91, 50))
    one.look((0, 0), 50 * MB, 64 * MB)
    assert (one.bytes, one.full) == (None, False)


# --- in a node ----------------------------------------------------------------------------------------------


class Cramped:
    """A node without peers, in a cgroup; what is taken is what a test says beside the entries."""

    def __init__(self) -> None:
        self.besides = 20 * MB
        self.log: list[str] = []
        self.lone = LoneNode(process=ProcessInfo(memory=self._memory), memory=64 * MB, log=self.log.append)
        self.client: LoneConnection = self.lone.connect()
        self._stored = 0

    def _memory(self) -> tuple[int, int]:
        return self.besides + self.lone.node.store.used, LIMIT

    def fill(self, megabytes: int) -> None:
        """Store so much in values of 8 KB, with a tick now and then, as time has it."""
        for _ in range(megabytes):
            for _ in range(128):
                self._stored += 1
                value = bytes(8192 - ENTRY_BYTES - 8)
                line = b"set k%07d 0 0 %d\r\n" % (self._stored, len(value))
                assert self.client.receive(line + value + b"\r\n") == b"STORED\r\n"
            self.lone.advance(0.05)

    @property
    def used(self) -> float:
        return self.lone.node.store.used / MB

    def told(self, words: str) -> list[str]:
        return [line for line in self.log if words in line]

    def stat(self, name: bytes) -> bytes:
        lines = self.client.receive(b"stats\r\n").split(b"\r\n")
        return next(line.split()[2] for line in lines if line.split()[1:2] == [name])


def test_a_node_takes_no_more_when_its_cgroup_is_nearly_full_and_goes_on_with_the_newest() -> None:
    node = Cramped()
    node.besides = 50 * MB
    node.fill(60)
    assert 38 <= node.used <= 41
    assert node.client.receive(b"get k%07d\r\n" % node._stored).startswith(b"VALUE")
    assert node.client.receive(b"get k0000001\r\n") == b"END\r\n"
    assert node.stat(b"cgroup_full") == b"yes"
    assert node.stat(b"cgroup_limit") == b"%d" % LIMIT
    assert int(node.stat(b"limit_in_force")) < 41 * MB
    assert node.stat(b"limit_maxbytes") == b"%d" % (64 * MB)  # the operator's own


def test_a_node_with_enough_for_m_is_only_held_by_that() -> None:
    node = Cramped()
    node.fill(80)
    assert 63 <= node.used <= 64
    assert node.stat(b"cgroup_full") == b"no"
    assert node.told("the memory cgroup") == []
    assert "raise -m on every server (it is 64 MB)" in node.told("memory is full")[0]


def test_the_operator_is_told_at_once_when_it_begins_and_of_changes_once_a_minute() -> None:
    node = Cramped()
    node.besides = 50 * MB
    node.fill(60)
    assert len(node.told("cgroup is nearly full")) == 1
    assert "raise MemoryMax= (systemd)" in node.told("cgroup is nearly full")[0]
    assert "raise MemoryMax= (systemd)" in node.told("memory is full")[0]
    for _ in range(50):
        node.besides = 10 * MB
        node.lone.advance(0.05)
        node.besides = 60 * MB
        node.lone.advance(0.05)
    assert len(node.told("the memory cgroup")) <= 3
    node.besides = 10 * MB
    node.lone.advance(REPEAT_MS / 1000 + 1)
    assert "the memory cgroup has room again" in node.told("the memory cgroup")[-1]
    assert "raise MemoryMax= (systemd)" in node.told("memory is full")[-1]
    node.fill(60)
    assert node.used > 60


def test_the_operators_own_limit_counts_again_when_there_is_room() -> None:
    node = Cramped()
    node.besides = 50 * MB
    node.fill(60)
    assert node.client.receive(b"cache_memlimit 30\r\n") == b"OK\r\n"
    assert node.stat(b"limit_in_force") == b"%d" % (30 * MB)
    assert node.client.receive(b"cache_memlimit 1024\r\n") == b"OK\r\n"
    assert int(node.stat(b"limit_in_force")) < 41 * MB
