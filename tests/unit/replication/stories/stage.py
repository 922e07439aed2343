"""The commands of stories, carried out by a cluster without a network. See __init__.py for what each means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from tests.harness.cluster import Client, Cluster, Pair
from tests.unit.replication.stories.narrator import Narrator

#: How long nodes may take to serve in the beginning: those that lack others wait for the cold start.
_START_MS_MAX: Final = 12_000

#: What `agree` gives the nodes.
_AGREE_MS: Final = 1_500

#: Commands of clients that are followed by a value.
_STORAGE: Final = frozenset(["set", "add", "replace", "append", "prepend", "cas"])


class WrongCommand(Exception):
    """A command is none, has wrong arguments, or cannot be carried out now; or `agree` was said in vain."""


class Stage:
    """Where stories are played; each `start` begins another scene, with new nodes."""

    def __init__(self) -> None:
        self._scene: _Scene | None = None

    def do(self, command: str) -> list[str]:
        """Carry out a command; return what came of it.

        Raises:
            WrongCommand: it cannot be.
        """
        verb, *words = command.split()
        if verb == "start":
            self._scene = _start(words)
        elif self._scene is None:
            raise WrongCommand("a scene begins with `start 1 2 3`")
        else:
            self._scene.do(verb, words)
        return self._scene.narrator.take()


def _start(words: list[str]) -> _Scene:
    """start N... [of COUNT] [majority]."""
    match = re.fullmatch(r"(\d(?: \d)*)(?: of (\d))?( majority)?", " ".join(words))
    if match is None:
        raise WrongCommand("usage: start N... [of COUNT] [majority]")
    numbers = [int(number) for number in match[1].split()]
    count = int(match[2] or max(numbers))
    if not all(0 < number <= count for number in numbers):
        raise WrongCommand(f"nodes are numbered from 1 to {count}")
    return _Scene(Cluster(count, start=numbers, strict=bool(match[3])))


class _Scene:
    """One cluster, its clients, and what is told of it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.narrator = Narrator(cluster)
        self._clients: dict[str, Client] = {}
        self._cuts: set[Pair] = set()
        self._unread: dict[int, list[tuple[str, bytes]]] = {}  # by frozen node: client and input
        self.narrator.quiet = True
        while len(cluster.serving()) < len(cluster.nodes):
            if cluster.now >= _START_MS_MAX:
                raise WrongCommand(f"they do not serve within {_START_MS_MAX} ms")
            cluster.advance(50)
        cluster.advance(200)  # until each has heard of the other that it is in the view
        self.narrator.zero = cluster.now
        self.narrator.quiet = False
        self.narrator.look()

    def do(self, verb: str, words: list[str]) -> None:
        """Carry out a command."""
        if verb not in _VERBS:
            raise WrongCommand(f"there is no command {verb!r}; stories/__init__.py has all")
        known = _VERBS[verb]
        if not known.fewest <= len(words) <= known.most:
            raise WrongCommand(f"usage: {verb} {known.usage}".rstrip())
        known.does(self, words)
        self.narrator.hear_clients()
        self.narrator.look()

    # --- words

    def _node(self, word: str, *, runs: bool = True) -> int:
        if not re.fullmatch(r"\d", word) or int(word) not in self.cluster.logs:
            raise WrongCommand(f"{word!r} is no node, as 1 or 2")
        if runs is not (int(word) in self.cluster.nodes):
            raise WrongCommand(f"node {word} {'is down' if runs else 'runs already'}")
        return int(word)

    def _awake(self, word: str) -> int:
        number = self._node(word)
        if number in self.cluster.frozen:
            raise WrongCommand(f"node {number} is frozen")
        return number

    def _way(self, word: str) -> Pair:
        match = re.fullmatch(r"(\d)>(\d)", word)
        if match is None or match[1] == match[2]:
            raise WrongCommand(f"{word!r} is no way, as 1>2")
        return self._node(match[1]), self._node(match[2])

    def _ways(self, words: Iterable[str]) -> list[Pair]:
        return [self._way(word) for word in words]

    @staticmethod
    def _ms(word: str) -> int:
        if not re.fullmatch(r"-?\d+", word):
            raise WrongCommand(f"{word!r} is no number of ms")
        return int(word)

    def _client(self, name: str) -> Client:
        match = re.fullmatch(r"(\d)[a-z]*(?:@(\w+))?", name)
        if match is None:
            raise WrongCommand(f"{name!r} is no client, as 1, 1a or 1@web")
        number = self._node(match[1])
        client = self._clients.get(name)
        if client is None or client.closed or client.node is not self.cluster.nodes[number]:
            client = self._clients[name] = self.cluster.client(number, match[2] or "")
            self.narrator.follow(name, client)
        return client

    # --- processes

    def restart(self, words: list[str]) -> None:
        self.cluster.start(self._node(words[0], runs=False))
        self.cluster.hold(*self._cuts)

    def kill(self, words: list[str]) -> None:
        number = self._node(words[0])
        self._unread.pop(number, None)
        self.cluster.kill(number)

    def freeze(self, words: list[str]) -> None:
        self.cluster.freeze(self._awake(words[0]))

    def thaw(self, words: list[str]) -> None:
        number = self._node(words[0])
        if number not in self.cluster.frozen:
            raise WrongCommand(f"node {number} is not frozen")
        self.cluster.thaw(number)
        # What lies in its clients' sockets is read after the look at the clock, where it has left them open.
        for name, data in self._unread.pop(number, ()):
            client = self._clients[name]
            if not client.closed:
                client.post(data)

    def leave(self, words: list[str]) -> None:
        number = self._awake(words[0])
        left: list[bool] = []
        self.cluster.turn(number, lambda node: left.append(node.leave()))
        if not left[0]:
            raise WrongCommand(f"node {number} may not leave yet")
        self.cluster.deliver()
        self.cluster.kill(number)

    def clock(self, words: list[str]) -> None:
        self.cluster.ahead[self._node(words[0])] = self._ms(words[1])

    def ask(self, words: list[str]) -> None:
        self.cluster.nodes[self._node(words[0])].replica.state.need_view("the story asks for it")

    # --- clients

    def client(self, words: list[str]) -> None:
        name, verb, *rest = words
        line = " ".join([verb, *rest])
        if verb in _STORAGE:
            if len(rest) != (3 if verb == "cas" else 2):
                raise WrongCommand(f"usage: client C {verb} KEY VALUE{' UNIQUE' if verb == 'cas' else ''}")
            key, value, *unique = rest
            line = " ".join([verb, key, "0", "0", str(len(value)), *unique]) + f"\r\n{value}"
        client, data = self._client(name), f"{line}\r\n".encode()
        if int(name[0]) in self.cluster.frozen:
            self._unread.setdefault(int(name[0]), []).append((name, data))
        else:
            client.post(data)

    def hang(self, words: list[str]) -> None:
        client = self._clients.get(words[1])
        if words[0] != "up" or client is None or client.closed:
            raise WrongCommand(f"there is no client {words[1]} that could: hang up C")
        self._clients.pop(words[1]).hang_up()

    # --- ways

    def hold(self, words: list[str]) -> None:
        self.cluster.hold(*self._ways(words))

    def release(self, words: list[str]) -> None:
        self.cluster.release(*self._ways(words))

    def cut(self, words: list[str]) -> None:
        match = re.fullmatch(r"([\d ]+)\|([\d ]+)", " ".join(words))
        if match is None:
            ways = self._ways(words)
        else:
            here, there = (list(map(self._node, side.split())) for side in match.groups())
            ways = [way for a in here for b in there for way in ((a, b), (b, a))]
        if any(a == b for a, b in ways):
            raise WrongCommand("a node stands on both sides")
        self._cuts.update(ways)
        self.cluster.hold(*ways)

    def heal(self, words: list[str]) -> None:
        for way in self._cuts & self.cluster.links.keys():
            self.cluster.lose(way)
        self.cluster.held -= self._cuts
        self._cuts.clear()

    def lose(self, words: list[str]) -> None:
        way = self._way(words[0])
        self.narrator.lost(way, self.cluster.on_way(way))
        self.cluster.lose(way)

    def redial(self, words: list[str]) -> None:
        self.cluster.dial(*self._way(words[0]))

    def late(self, words: list[str]) -> None:
        way = self._way(words[0])
        if not self.cluster.on_former_way(way):
            raise WrongCommand("nothing lies on a former link of this way")
        self.cluster.late(way)

    def deliver(self, words: list[str]) -> None:
        if words:
            ways = self._ways(words)
            for _, target in ways:
                self._awake(str(target))
            self.cluster.step(*ways)
        else:
            self.cluster.deliver()

    # --- time

    def tick(self, words: list[str]) -> None:
        numbers = [self._awake(word) for word in words[:-1]]
        self.cluster.now += self._ms(words[-1])
        for number in numbers:
            self.cluster.turn(number, lambda node: node.tick())

    def later(self, words: list[str]) -> None:
        self.cluster.now += self._ms(words[0])

    def wait(self, words: list[str]) -> None:
        self.cluster.advance(self._ms(words[0]))

    # --- what is told

    def quietly(self, words: list[str]) -> None:
        self.narrator.quiet = True
        try:
            self.do(words[0], words[1:])
        finally:
            self.narrator.quiet = False

    def tell(self, words: list[str]) -> None:
        if words[0] not in ("heartbeats", "nothing"):
            raise WrongCommand("usage: tell heartbeats|nothing")
        self.narrator.heartbeats = words[0] == "heartbeats"

    def show(self, words: list[str]) -> None:
        for number in [self._node(word) for word in words]:
            self.narrator.show(number)

    def keys(self, words: list[str]) -> None:
        for word in words:
            self.narrator.key(word.encode())

    def agree(self, words: list[str]) -> None:
        for number in sorted(self.cluster.nodes):
            self._awake(str(number))
        self.heal([])
        self.quietly(["release"])
        self.quietly(["wait", str(_AGREE_MS)])
        silent = sorted(self.cluster.nodes.keys() - set(self.cluster.serving()))
        if silent:
            raise WrongCommand(f"they do not agree: nodes {silent} do not serve")
        self.narrator.look()
        for word in words:
            key = word.encode()
            self.narrator.key(key)
            pending = any(key in self.cluster.pending(number) for number in self.cluster.nodes)
            if pending or len({self.cluster.value(number, key) for number in self.cluster.nodes}) > 1:
                raise WrongCommand(f"they do not agree: {self.narrator.take()[-1].strip()}")


@attrs.frozen
class _Verb:
    """A command: who carries it out, and how many words may follow."""

    does: Callable[[_Scene, list[str]], None]
    usage: str
    fewest: int
    most: int


_MANY: Final = 99

_VERBS: Final = {
    "restart": _Verb(_Scene.restart, "N", 1, 1),
    "kill": _Verb(_Scene.kill, "N", 1, 1),
    "freeze": _Verb(_Scene.freeze, "N", 1, 1),
    "thaw": _Verb(_Scene.thaw, "N", 1, 1),
    "leave": _Verb(_Scene.leave, "N", 1, 1),
    "clock": _Verb(_Scene.clock, "N MS", 2, 2),
    "ask": _Verb(_Scene.ask, "N", 1, 1),
    "client": _Verb(_Scene.client, "C COMMAND", 2, _MANY),
    "hang": _Verb(_Scene.hang, "up C", 2, 2),
    "hold": _Verb(_Scene.hold, "WAY...", 1, _MANY),
    "release": _Verb(_Scene.release, "[WAY...]", 0, _MANY),
    "cut": _Verb(_Scene.cut, "A B|C D, or WAY...", 1, _MANY),
    "heal": _Verb(_Scene.heal, "", 0, 0),
    "lose": _Verb(_Scene.lose, "WAY", 1, 1),
    "redial": _Verb(_Scene.redial, "WAY", 1, 1),
    "late": _Verb(_Scene.late, "WAY", 1, 1),
    "deliver": _Verb(_Scene.deliver, "[WAY...]", 0, _MANY),
    "tick": _Verb(_Scene.tick, "N... MS", 2, _MANY),
    "later": _Verb(_Scene.later, "MS", 1, 1),
    "wait": _Verb(_Scene.wait, "MS", 1, 1),
    "quietly": _Verb(_Scene.quietly, "COMMAND...", 1, _MANY),
    "tell": _Verb(_Scene.tell, "heartbeats|nothing", 1, 1),
    "show": _Verb(_Scene.show, "N...", 1, _MANY),
    "keys": _Verb(_Scene.keys, "K...", 1, _MANY),
    "agree": _Verb(_Scene.agree, "K...", 1, _MANY),
}
