"""Bytes that wait where a node does not see them: in a frozen node's sockets, or before a cut.

A worker of PHP's sends to a frozen node, hears nothing, hangs up within a second and goes elsewhere. The bytes
stay in the kernel. When the node thaws it may not carry them out any more: the worker, or another one, has
written something newer meanwhile. The node cannot know that, but it can see that the client is gone. A cut
between clients and a node does the same, for the client's kernel goes on sending what the node has not got,
long after the client hung up.

For each such time some keys are used by nothing else: a `set` that is followed by a newer one through another
node, an `incr` and an `add` that are sent to that node alone, each in every protocol. They go over connections
that stood before, and, into a frozen node, over ones that were opened meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import attrs

from tests.faults.client import GIVE_UP_S, Client, Line
from tests.faults.findings import Diary
from tests.faults.protocols import Said, Speaks


@attrs.frozen
class Expected:
    """What a key must hold ever after."""

    key: str
    value: bytes | None
    diary: Diary
    kind: str
    story: str


class Queued(Client):
    """Sends to a node that is deaf, and sees what comes of it.

    Args:
        number: of the round.
        node: which node will be deaf.
        why: how the evidence calls that.
    """

    def __init__(self, *args: object, number: int, node: int, why: str) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.expected: list[Expected] = []
        self._node = node
        self._why = why
        self._others = [other for other in range(self.world.count) if other != node]
        self._keys = [f"queued{number}.{i}" for i in range(12 * len(self.world.protocols))]
        self._lines: list[Line] = []
        self._ready: set[str] = set()

    def before(self) -> None:
        """Fill the keys; open half of the connections, and use each once."""
        for key in self._keys:
            verb = _verb(key)
            if verb == "add" or self.set(key, b"0").answered:
                self._ready.add(key)
        for key in self._keys[::2]:
            line = Line(self.world, self._node, self._protocol(key))
            if line.connect(time.monotonic() + GIVE_UP_S):
                line.ask(self._protocol(key).hello)
            self._lines.append(line)

    def deaf(self, seconds: float) -> None:
        """Send, and hang up after less than so many seconds; then write something newer elsewhere."""
        for key in self._keys[1::2]:
            line = Line(self.world, self._node, self._protocol(key))
            line.connect(time.monotonic() + min(seconds, GIVE_UP_S) / 20 / len(self.world.protocols))
            self._lines.append(line)
        sent = []
        for key, line in zip([*self._keys[::2], *self._keys[1::2]], self._lines, strict=True):
            if line.fate == "answered" and key in self._ready:
                line.send(_said(key, self._protocol(key)).data)
                sent.append(key)
        time.sleep(self.rng.uniform(0.1, 0.9) * min(seconds, GIVE_UP_S))
        for line in self._lines:
            line.close()
        for key in sent:
            diary = Diary()
            verb = _verb(key)
            sent_to = f"{self._why} node {self._node} by a client of {self._protocol(key).name}"
            story = f"{verb} was sent to {sent_to} that then hung up"
            if verb == "set":
                walk = self.set(key, b"newer", self._others)
                diary.note(self.name, "set newer", walk)
                if walk.answered:
                    self.expected.append(Expected(key, b"newer", diary, "queued", story))
            else:
                self.expected.append(Expected(key, b"0" if verb == "incr" else None, diary, "queued", story))

    def _protocol(self, key: str) -> Speaks:
        """In which a key's command is sent."""
        return self.world.protocols[_number(key) // 12]

    def watch(self, seconds: float) -> None:
        """Look at every key at every node for so long."""
        deadline = time.monotonic() + seconds
        wrong: set[str] = set()
        while time.monotonic() < deadline:
            for expected in self.expected:
                if expected.key not in wrong and not check(self, expected, range(self.world.count)):
                    wrong.add(expected.key)
            time.sleep(0.02)
        self.expected = [expected for expected in self.expected if expected.key not in wrong]


def check(client: Client, expected: Expected, nodes: Sequence[int]) -> bool:
    """Whether the key is as it must be, at every node that answers."""
    for node in nodes:
        walk = client.get(expected.key, [node])
        expected.diary.note(client.name, "get", walk)
        if walk.answered and walk.value != expected.value:
            held = f"at {walk.begin - client.world.start:.3f} s node {node} holds {walk.value!r}"
            told = f"{expected.key}: {expected.story}; {held}, not {expected.value!r}"
            client.world.found(expected.kind, told, expected.diary)
            return False
    return True


def _verb(key: str) -> str:
    return ("set", "incr", "add")[_number(key) // 2 % 3]


def _number(key: str) -> int:
    return int(key.rpartition(".")[2])


def _said(key: str, speaks: Speaks) -> Said:
    verb = _verb(key)
    if verb == "incr":
        return speaks.increment(key)
    return speaks.set(key, b"older") if verb == "set" else speaks.add(key, b"older")
