"""Nodes of a `Status`, picked and put into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memrep.status.facts import DOWN, JOINING, LEAVING, SERVING, SILENT, About, NodeStatus, Status
from memrep.status.words import duration

#: Nodes reach each other at the clients' port plus this. It is that of memrep/addresses.py, which loads more
#: than all of a command, and is held against it by a test.
LINK_PORT_OFFSET: Final = 10_000


def asked_node(status: Status) -> NodeStatus | None:
    """Return the node that was asked."""
    return next((node for node in status.nodes if node.asked), None)


def why_not_ready(asked: NodeStatus, hindrance: str) -> str:
    """Return why clients had better not come to the asked node; "" if they may.

    Args:
        asked: that node.
        hindrance: what its process knows of the same, whatever the node says; "" for nothing.
    """
    if asked.state != SERVING:
        return f"{asked.state}: {asked.why}" if asked.why else asked.state
    return hindrance


def serving_nodes(status: Status) -> list[NodeStatus]:
    """Return the nodes that let clients in."""
    return [node for node in status.nodes if node.state == SERVING]


def nodes_with_words(status: Status) -> list[tuple[NodeStatus, About]]:
    """Return the nodes that say something of themselves, with that."""
    return [(node, node.about) for node in status.nodes if node.about is not None]


def is_here(node: NodeStatus) -> bool:
    """Tell whether something is heard of a node, by whatever way."""
    return node.state not in (DOWN, SILENT)


def hears(hearer: NodeStatus, speaker: NodeStatus) -> bool:
    """Tell whether one hears the other on its own link, as far as that is known."""
    return hearer.hears is None or speaker.name in hearer.hears


def in_touch(one: NodeStatus, other: NodeStatus) -> bool:
    """Tell whether two need no third one to talk."""
    return hears(one, other) and hears(other, one)


def state_in_words(node: NodeStatus) -> str:
    """Return a node's state, for how long it has lasted, and why."""
    since = "" if node.since_s is None else f" for {duration(node.since_s)}"
    return f"{node.state}{since}" + (f" ({node.why})" if node.why else "")


def remedy_of_state(state: str) -> str:
    """Tell what to do about a node in this state, which is not serving."""
    if state == JOINING:
        return "wait: it serves when it holds everything"
    if state == LEAVING:
        return "start it again, unless it was stopped on purpose: `systemctl start memrep`"
    return "see to what it waits for; `memrep status` there says more"


def short_names(nodes: Sequence[NodeStatus]) -> dict[str, str]:
    """Return by what each is called in a narrow place: its host or its port, if that tells them apart.

    Of hosts that have names the domain is left out that all of them share.
    """
    names = [node.name for node in nodes]
    hosts = [name.rpartition(":")[0] for name in names]
    ways = (hosts, [f":{name.rpartition(':')[2]}" for name in names])
    short = next((way for way in ways if len(set(way)) == len(names)), names)
    return dict(zip(names, _without_domain(hosts) if short is hosts else short, strict=True))


def _without_domain(hosts: list[str]) -> list[str]:
    """Return what of hosts' names stands before the domain that they share; addresses have none."""
    labels = [host.split(".") for host in hosts]
    if len(hosts) < 2 or not all(parts[-1].isalpha() for parts in labels):
        return hosts
    shared = 0
    while (
        all(len(parts) > shared + 1 for parts in labels) and len({parts[-1 - shared] for parts in labels}) < 2
    ):
        shared += 1
    return [".".join(parts[: len(parts) - shared]) for parts in labels]


def host_of(node: NodeStatus) -> str:
    """Return a node's host."""
    return node.name.rpartition(":")[0] or node.name


def link_port_of(node: NodeStatus) -> str:
    """Return the port that the other nodes call."""
    port = node.name.rpartition(":")[2]
    return str(int(port) + LINK_PORT_OFFSET) if port.isdecimal() and len(port) < 6 else "of its links"
