"""Clusters in all states, as a node tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from memrep.status.facts import (
    DIRECT,
    DOWN,
    JOINING,
    LEAVING,
    SERVING,
    SILENT,
    STARTING,
    WAITING,
    About,
    NodeStatus,
    Problem,
    Status,
)
from memrep.status.problems import find_problems

NAMES: Final = [f"10.{n}.{n}.{n}:11211" for n in range(1, 8)]

ABOUT: Final = About(
    version="1.2.0",
    state=SERVING,
    since_ms=360_000_000,
    items=100_212,
    used=61 << 20,
    limit=64 << 20,
    clients=212,
    clients_max=1024,
    ops=3_120,
    item_max=1 << 20,
    group_used=180 << 20,
    group_limit=256 << 20,
)


def changed_about(**facts: object) -> About:
    """What a node says of itself that is well but for these facts."""
    return msgspec.structs.replace(ABOUT, **facts)


def node(name: str, names: Sequence[str], **facts: object) -> NodeStatus:
    """A node of these that is well but for these facts; the first one was asked."""
    asked = name == names[0]
    well = NodeStatus(
        name=name,
        asked=asked,
        state=SERVING,
        since_s=360_000.0,
        about=ABOUT,
        clock_ms=0 if asked else 2,
        path="" if asked else DIRECT,
        hears=[other for other in names if other != name],
        member=True,
    )
    return msgspec.structs.replace(well, **facts)


def cluster(
    count: int = 3,
    names: Sequence[str] = NAMES,
    problems: Sequence[Problem] = (),
    **facts: object,
) -> Status:
    """A cluster of so many nodes that is well but for these facts."""
    names = names[:count]
    well = Status(
        asked=names[0],
        at=1_795_817_300.0,
        view=1_795_817_209,
        majority=True,
        strict=False,
        writes_in_flight=0,
        nodes=[node(name, names) for name in names],
        problems=list(problems),
    )
    return msgspec.structs.replace(well, **facts)


def with_node(status: Status, number: int, **facts: object) -> Status:
    """The cluster with a node of this number, from 1, of which these facts are different."""
    nodes = list(status.nodes)
    nodes[number - 1] = msgspec.structs.replace(nodes[number - 1], **facts)
    return msgspec.structs.replace(status, nodes=nodes)


def gone(
    status: Status, number: int, state: str = DOWN, why: str = "it has stopped", **facts: object
) -> Status:
    """The cluster with this node gone."""
    absent: dict[str, object] = {
        "about": None, "clock_ms": None, "path": "", "hears": None, "member": False, "since_s": 190.0,
    }  # fmt: skip
    name = status.nodes[number - 1].name
    for other in range(1, len(status.nodes) + 1):
        hears = status.nodes[other - 1].hears
        if hears is not None:
            status = with_node(status, other, hears=[each for each in hears if each != name])
    return with_node(status, number, **{**absent, "state": state, "why": why, **facts})


DETOUR: Final = Problem(
    kind="path",
    severity="critical",
    nodes=NAMES[:2],
    text=f"{NAMES[0]} cannot reach {NAMES[1]} directly (it does not answer)",
    remedy="open port 21211 from 10.1.1.1 to 10.2.2.2 in the firewall of 10.2.2.2",
)
OLD: Final = Problem(
    kind="version",
    severity="warning",
    nodes=NAMES[:3],
    text="nodes run different versions: 1.2.0 and 1.3.0",
    remedy="finish the upgrade, one node at a time",
)
IPV6: Final = ["[2001:db8::1]:11211", "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:11211", "[2001:db8::3]:11211"]
LONGEST: Final = [f"255.255.255.{n}:11211" for n in range(101, 108)]


def _states() -> Status:
    """All seven states of one cluster at the same time."""
    status = cluster(7, writes_in_flight=3)
    fetches = f"fetches from {NAMES[0]}: 41,200 of 100,212 items"
    little = changed_about(state=JOINING, items=41_200, used=25 << 20, clients=0, ops=0)
    none = changed_about(items=0, used=0, clients=0, ops=0)
    status = with_node(
        status, 2, state=STARTING, since_s=2.0, about=none, member=False, why="it greets the others"
    )
    status = with_node(status, 3, state=JOINING, since_s=12.0, about=little, lag=1_204, why=fetches)
    status = with_node(status, 4, state=WAITING, since_s=3_000.0, lag=3, why="a view is being formed")
    status = with_node(
        status, 5, state=LEAVING, since_s=1.0, why="it was told to stop", path="via 10.4.4.4:11211"
    )
    status = gone(status, 6, SILENT, "nothing is heard of it")
    return gone(status, 7, why="its port is closed", refusal="connection refused")


def _readme() -> Status:
    """What the README shows: one node is down, and another one cannot be reached in one direction."""
    facts = with_node(cluster(4), 2, path="via 10.3.3.3:11211", hears=NAMES[2:4], refusal="it does not answer")
    facts = gone(facts, 4, DOWN, "its process is gone")
    facts = with_node(facts, 4, refusal="its port refuses", since_s=95.0)
    return msgspec.structs.replace(facts, problems=find_problems(facts))


#: Each as the golden file of this name has it.
CLUSTERS: Final[dict[str, tuple[Status, bool]]] = {
    "readme": (_readme(), False),
    "one": (cluster(1), False),
    "three": (cluster(3), False),
    "three_wide": (cluster(3), True),
    "seven": (cluster(7), False),
    "all_states": (_states(), False),
    "longest_ipv4": (cluster(3, names=LONGEST), False),
    "ipv6": (cluster(3, names=IPV6), False),
    "names": (
        cluster(3, names=[f"session-store-{n}.memrep.production.svc.cluster.local:11211" for n in (1, 2, 3)]),
        False,
    ),
    "urgent": (
        with_node(cluster(3, problems=[DETOUR, OLD]), 2, path="via 10.3.3.3:11211", clock_ms=-1_300),
        False,
    ),
    "can_wait": (
        with_node(cluster(3, problems=[OLD]), 3, about=changed_about(version="1.3.0"), path="one way"),
        False,
    ),
    "many_problems": (cluster(3, problems=[DETOUR, *[OLD] * 20]), False),
    "no_majority": (
        gone(gone(cluster(3, strict=True, majority=False), 2), 3, SILENT, "nothing is heard of it"),
        False,
    ),
    "before_the_first_view": (
        cluster(
            1,
            view=0,
            majority=False,
            nodes=[
                node(
                    NAMES[0],
                    NAMES[:1],
                    state=STARTING,
                    since_s=0.3,
                    about=About(version="1.2.0"),
                    member=False,
                    why=f"waits for {NAMES[1]} (connection refused); begins without them in 3 s "
                    "unless they have the data",
                )
            ],
        ),
        False,
    ),
    "all_is_large": (
        cluster(
            2,
            names=LONGEST,
            nodes=[
                node(
                    name,
                    LONGEST[:2],
                    lag=123_456,
                    clock_ms=-123_456_789,
                    since_s=1e9,
                    about=changed_about(
                        items=123_456_789, used=300 << 30, limit=512 << 30, clients=65_000, ops=1_234_567
                    ),
                )
                for name in LONGEST[:2]
            ],
        ),
        False,
    ),
}
