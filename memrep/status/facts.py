"""SEAM: the facts that an operator is told, as structs that travel as JSON.

`Status` is a cluster as one node sees it, made in whatever state the node is. Most of what it says of another
node that node has said itself: an `About` goes out with a heartbeat about once a second. So any node can tell
about all, and about one that is gone what it said last is left out rather than shown as true.

The JSON is for other people's programs, too: fields are only added, and `format` is raised when one has to
change its meaning. Whoever reads it ignores what he does not know.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

#: Of the JSON.
FORMAT: Final = 1

#: The states of a node. It may hold everything and yet wait: for a lease, a majority, a view.
STARTING: Final = "starting"
JOINING: Final = "joining"
WAITING: Final = "waiting"
SERVING: Final = "serving"
LEAVING: Final = "leaving"

#: What others say of one that says nothing itself.
SILENT: Final = "silent"
DOWN: Final = "down"

#: Of a path to another node that needs no detour.
DIRECT: Final = "direct"


class About(msgspec.Struct, frozen=True):
    """What a node says of itself to the others. Fields are only added, at the end, with a default.

    Attributes:
        version: memrep's.
        state: one of the above.
        since_ms: for how long it has been in that state.
        why: why it does not serve; empty if it does.
        items: sessions and other items that it holds.
        used: their bytes, all costs counted.
        limit: how many bytes they may take.
        evicted: live items that it had to end for want of room, in the last minute.
        clients: connected clients,
        clients_max: and how many there may be.
        ops: clients' commands a second.
        item_max: the largest item, bytes.
        log_lost: lines of its log that could not be written.
        group_used: bytes that the kernel counts against the limit of its service (cgroup),
        group_limit: and that limit; 0 if there is none.
        group_full: whether it keeps less than it may for that.
        reload_refused: why options that were read anew last will not do; empty if they were taken.
        digests: some of its digests, between nodes only (node/sameness.py).
        disk: why what it holds cannot be saved on its disk; empty if it can, or is not to be.
        old_store_silent: which servers of the old store it does not ask now, and why; empty if it asks all.
    """

    version: str = ""
    state: str = STARTING
    since_ms: int = 0
    why: str = ""
    items: int = 0
    used: int = 0
    limit: int = 0
    evicted: int = 0
    clients: int = 0
    clients_max: int = 0
    ops: int = 0
    item_max: int = 0
    log_lost: int = 0
    group_used: int = 0
    group_limit: int = 0
    group_full: bool = False
    reload_refused: str = ""
    digests: bytes = b""
    disk: str = ""
    old_store_silent: str = ""


class AboutOnWire(About, frozen=True, array_like=True):
    """The same between nodes: without the names, for it goes to each peer each second."""


def read_about(said: bytes) -> About | None:
    """Return what a node has said of itself; None if it has said nothing that can be read."""
    if not said:
        return None
    try:
        return About(*msgspec.structs.astuple(msgspec.msgpack.decode(said, type=AboutOnWire)))
    except msgspec.MsgspecError:  # of a version that says it otherwise
        return None


class Sameness(msgspec.Struct, frozen=True):
    """Whether other nodes hold the same entries as the one that was asked, as far as that was compared.

    Attributes:
        nodes: the others that serve, with which it was compared.
        of: how many parts all keys fall into,
        buckets: and how many of these were compared with each of them.
        oldest_s: how long ago the oldest of these comparisons was, seconds.
        differing: by node, in how many parts it holds something else.
        since_s: for how long that has been so, seconds.
    """

    nodes: list[str] = []
    of: int = 0
    buckets: int = 0
    oldest_s: float = 0.0
    differing: dict[str, int] = {}
    since_s: float = 0.0


class NodeStatus(msgspec.Struct, frozen=True):
    """One node, as the one that was asked sees it.

    Attributes:
        name: its address in --nodes.
        asked: whether it is the one that was asked.
        state: one of the above.
        since_s: for how many seconds; None if that is not known.
        why: why it does not serve, or what is known of its end; empty if it does.
        about: what it says of itself; None if nothing was heard of it, or it is gone.
        lag: writes of the asked node's that it has not acknowledged.
        clock_ms: how far its clock is ahead of the asked node's; None if it is not known.
        path: how the asked node reaches it: "direct", "via NAME", "one way", or "" if not at all.
        refusal: why it will not have the asked node, or why its port cannot be reached; empty if neither.
        hears: the nodes that it hears on their own links; None if it has not said.
        member: whether it is in the asked node's view.
    """

    name: str
    asked: bool
    state: str
    since_s: float | None = None
    why: str = ""
    about: About | None = None
    lag: int = 0
    clock_ms: int | None = None
    path: str = ""
    refusal: str = ""
    hears: list[str] | None = None
    member: bool = False


Severity = Literal["warning", "critical"]


class Problem(msgspec.Struct, frozen=True):
    """Something that wants a person.

    Attributes:
        kind: one of `problems.KINDS`; stable, for programs.
        severity: "critical": users notice it, or will when one more thing fails. "warning": the rest.
        nodes: whom it is about.
        text: what is wrong.
        remedy: what to do.
    """

    kind: str
    severity: Severity
    nodes: list[str]
    text: str
    remedy: str


class Status(msgspec.Struct, frozen=True):
    """A cluster as one node sees it.

    Attributes:
        asked: the node that was asked.
        at: when, seconds since 1970 by its clock.
        view: the number of its view; 0 before the first.
        majority: whether the view began with a majority of the nodes.
        strict: whether nodes without a majority serve nobody (`--partition majority`).
        writes_in_flight: the asked node's own.
        nodes: all of --nodes, in its order.
        problems: the worst first.
        format: of all this.
        sameness: whether others hold the same as the asked node.
    """

    asked: str
    at: float
    view: int
    majority: bool
    strict: bool
    writes_in_flight: int
    nodes: list[NodeStatus]
    problems: list[Problem] = []
    format: int = FORMAT
    sameness: Sameness = Sameness()


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the asked node counts, and nobody but a program that draws it wants to know.

    Attributes:
        started: when it began, with nothing, seconds since 1970 by its clock.
        counters: what has happened there since, or since `stats reset`, by the names of `stats`.
        tombstones: of deleted items, which it keeps for the others.
        expired: items that have run out,
        expired_unfetched: and those of them that nobody had read.
        oldest_s: for how long the least recently used item has not been used, seconds.
        unsent: bytes of replies that clients have not taken.
        logins: how often a client gave a password,
        logins_refused: and how often that was wrong.
        views: how many views it has had.
        rounds: how many of its clients' writes have gone round the other nodes,
        rounds_ms: how long they took in all,
        rounds_slow: and how many took a tenth of a second or more.
        policy: what its policy for clients counts, by names of its own.
        fetched: how many of a donor's items it has looked at while it joined, the last time,
        to_fetch: and of how many.
    """

    started: float
    counters: dict[str, int]
    tombstones: int
    expired: int
    expired_unfetched: int
    oldest_s: int
    unsent: int
    logins: int
    logins_refused: int
    views: int
    rounds: int
    rounds_ms: int
    rounds_slow: int
    policy: dict[str, int]
    fetched: int
    to_fetch: int


class ProcessFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What only the process of the asked node knows. None stands for what cannot be told now.

    Attributes:
        hindrance: why no clients come in, whatever the node says of its state; "" if nothing is why.
        turns: of its loop,
        longest_turn_s: and how long the longest took.
        cpu_s: time on a CPU, seconds.
        started: when it was started, seconds since 1970.
        resident: its memory, bytes.
        descriptors: those that are open,
        descriptors_max: and how many there may be.
        log_lines_lost: lines of its log that could not be written, in all.
        certificates: files of certificates that it shows, each with the end of its time, seconds since 1970.
        reloaded: whether the options were read anew without a mistake when that was done last,
        reloaded_at: and when they were taken last, seconds since 1970.
    """

    hindrance: str
    turns: int
    longest_turn_s: float
    cpu_s: float
    started: float | None
    resident: int | None
    descriptors: int | None
    descriptors_max: int | None
    log_lines_lost: int
    certificates: dict[str, float]
    reloaded: bool = True
    reloaded_at: float | None = None
