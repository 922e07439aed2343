"""Where Redis clients find the nodes that serve, and whom of them they are told to take for the master.

Every node takes every command, so any of them may be called the master. Who asks over loopback is told of the
node that it asks: an application stays on its own machine. Everybody else is told of the first one that serves,
so that all nodes say the same.

Who has been told of a node has to hear when that one is lost. A node may have been told of here if it has been
the first one, even if it is not any more because an earlier one has come back.

Limits. Of the other nodes only the list of nodes is known: they are assumed to have the hosts of that list, and
the same Redis port as this one. What is announced with `--redis-announce` replaces this node's own address in
what it says itself, and not in what others say of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from memrep.addresses import is_local

#: So many names of masters are remembered.
NAMES_MAX: Final = 100


@attrs.frozen
class RedisNode:
    """One node, as Redis clients find it.

    Attributes:
        node_id: 40 hexadecimal digits, the same wherever they are told.
        host: its address, or its name.
        port: where Redis clients come in.
    """

    node_id: bytes
    host: bytes
    port: int

    @property
    def address(self) -> bytes:
        """Return host and port, as Redis writes them."""
        return b"%b:%d" % (self.host, self.port)


#: One that is alone and does not know where it is.
NOWHERE: Final = RedisNode(b"0" * 40, b"127.0.0.1", 0)


@attrs.define(eq=False)
class Topology:
    """The serving nodes.

    Attributes:
        me: this node.
        find_serving: finds those that serve, sorted; none while this node is in no view.
        names: under which the master is known without having been asked for.
    """

    me: RedisNode = NOWHERE
    find_serving: Callable[[], Sequence[RedisNode]] = lambda: ()
    names: Sequence[bytes] = (b"mymaster",)
    _asked: dict[bytes, None] = attrs.field(init=False, factory=dict)
    _firsts: list[RedisNode] = attrs.field(init=False, factory=list)

    @property
    def serving(self) -> Sequence[RedisNode]:
        """Return the nodes that serve, sorted; this node, which has been asked, is one of them."""
        found = self.find_serving()
        return found if self.me in found else [self.me]

    @property
    def others(self) -> Sequence[RedisNode]:
        """Return the nodes that serve beside this one."""
        return [node for node in self.serving if node != self.me]

    def master_for(self, host: str) -> RedisNode:
        """Return the master that a client from this host is told to take; "" stands for a unix socket."""
        if is_local(host):
            return self.me
        first = self.serving[0]
        self._note(first)
        return first

    # --- names

    def asked_for(self, name: bytes) -> None:
        """Remember that a client knows the master under this name; the oldest is forgotten for it."""
        self._asked.pop(name, None)
        self._asked[name] = None
        if len(self._asked) > NAMES_MAX:
            del self._asked[next(iter(self._asked))]

    @property
    def all_names(self) -> Sequence[bytes]:
        """Return the names under which the master is known."""
        return list(dict.fromkeys((*self.names, *self._asked)))

    # --- switches

    def switches(self) -> Iterator[bytes]:
        """Tell which nodes have been lost that a client may take for the master: NAME OLD PORT NEW PORT."""
        serving = self.find_serving()
        if not serving:
            return
        lost = [node for node in self._firsts if node not in serving]
        new = serving[0]
        self._firsts = [node for node in self._firsts if node in serving]
        self._note(new)
        for old in lost:
            for name in self.all_names:
                yield b"%b %b %d %b %d" % (name, old.host, old.port, new.host, new.port)

    def _note(self, first: RedisNode) -> None:
        if first not in self._firsts:
            self._firsts.append(first)
