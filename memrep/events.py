"""Events: all that a node ever tells its log, with the name, the level and the sentence of each.

Problem: people read a log, and so do programs, which wait for a certain line for years. So what may be told is
declared here, once. Who has something to tell names the event and hands over what he knows; the sentence is
made of that, and a program gets the name, which never changes its meaning, and what was known, as data
(docs/log.md).

Levels are syslog's. The line between warning and notice: a warning wants a person, now or in the morning; all
that a node does by itself and as it should, the loss of a peer and the way back among it, is a notice at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Final


class Level(IntEnum):
    """How much a line matters, as in syslog(3): the lower the more."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7

    @property
    def word(self) -> str:
        """Return its name, as it is written."""
        return self.name.lower()


class Line(str):
    """A line for the log: the text, and what it was made of.

    Attributes:
        event: which event it tells of.
        fields: what is known of it, by name.
    """

    __slots__ = ("event", "fields")
    event: Event
    fields: dict[str, object]


#: Takes a line for the operator.
Tell = Callable[[Line], None]


class Event:
    """Something that may happen.

    Args:
        name: by which programs know it; it never changes its meaning.
        level: how much it matters.
        sentence: what is told, with {fields}. What stands in [brackets] is left out if a field in it is empty.
    """

    __slots__ = ("_parts", "fields", "level", "name")

    def __init__(self, name: str, level: Level, sentence: str) -> None:
        self.name = name
        self.level = level
        self._parts = [
            (part, re.findall(r"\{(\w+)", part) if optional else [])
            for optional, part in enumerate_parts(sentence)
        ]
        self.fields = re.findall(r"\{(\w+)", sentence)

    def __call__(self, **fields: object) -> Line:
        """Return the line that tells of it.

        Args:
            fields: what is known: all that the sentence has, and more for programs where there is more.
        """
        told = (part.format_map(fields) for part, needed in self._parts if all(map(fields.get, needed)))
        line = Line("".join(told))
        line.event, line.fields = self, fields
        return line


def enumerate_parts(sentence: str) -> list[tuple[bool, str]]:
    """Return the parts of a sentence in their order, and of each whether it may be left out."""
    return [(bool(i % 2), part) for i, part in enumerate(re.split(r"[\[\]]", sentence)) if part]


# --- the process

STARTS: Final = Event(
    "starts",
    Level.NOTICE,
    "memrep starts, process {process}, clients on {clients}[, Redis' clients on {redis}]"
    "[, nodes on port {port}, with {others}][, admin socket {admin}][, HTTP on {http}]",
)
STOPS: Final = Event("stops", Level.NOTICE, "{why}: stops")
HANDS_OVER: Final = Event(
    "hands-over",
    Level.NOTICE,
    "it alone holds everything: it goes when another node does, in {seconds:g} s at most",
)
STOPS_AT_ONCE: Final = Event("stops-at-once", Level.WARNING, "a second signal: stops at once")
DRAINS: Final = Event(
    "drains",
    Level.NOTICE,
    "drains[, {forced}]: refuses clients in {lame_duck_s:g} s, has left in {wait_s:g} s at most; "
    "asked for by {who}",
)
DRAINED: Final = Event("drained", Level.NOTICE, "is drained: `memrep resume` lets it in again")
DRAINS_NOT: Final = Event("drains-not", Level.WARNING, "serves on, and is not drained: {reason}")
RESUMES: Final = Event("resumes", Level.NOTICE, "is to serve again: asked for by {who}")
STOPPED: Final = Event("stopped", Level.NOTICE, "memrep has stopped")
RELOADED: Final = Event("reloaded", Level.NOTICE, "options are read anew ({who}): {changed}")
RELOAD_REFUSED: Final = Event(
    "reload-refused", Level.ERROR, "options stay as they were ({who}), nothing is taken: {reason}"
)
OLD_STORE_SILENT: Final = Event(
    "old-store-silent",
    Level.WARNING,
    "the old store does not answer at {server} ({reason}): who has a session only there begins anew",
)
OLD_STORE_BACK: Final = Event("old-store-back", Level.NOTICE, "the old store answers again at {server}")
SIGNAL_IGNORED: Final = Event("signal-ignored", Level.NOTICE, "{signal}: nothing is to be done")
WAS_STOPPED: Final = Event(
    "was-frozen",
    Level.WARNING,
    "was stopped for {ms} ms: closes {connections} connections unread, asks for a new view",
)
TROUBLE: Final = Event(
    "trouble", Level.WARNING, "{what}: {reason}[ ({more} more times since it was last said)]"
)
FAULT: Final = Event("fault", Level.ERROR, "{what}: {reason}[ ({more} more times since it was last said)]")
BEGINS_ANEW: Final = Event(
    "begins-anew", Level.ERROR, "a fault in memrep ({error}): begins anew, as after a restart"
)
STDERR_SAID: Final = Event("stderr", Level.WARNING, "{text}")
LINES_LOST: Final = Event("lines-lost", Level.WARNING, "{lines} lines of the log were lost: {why}")
LEVEL_SET: Final = Event("log-level", Level.NOTICE, "the log tells of level {least} and above: {who}")

# --- the copy on disk

DISK_READ: Final = Event(
    "disk-read",
    Level.NOTICE,
    "has read {entries} entries from {path}, as they were at {when}[, {stop}]",
)
BEGINS_FROM_DISK: Final = Event(
    "begins-from-disk",
    Level.NOTICE,
    "no node held everything: begins with the {entries} entries of its disk, and what others add",
)
DISK_TORN: Final = Event(
    "disk-torn",
    Level.WARNING,
    "what is saved in {path} cannot be read ({reason}): it is kept as {aside}, and the node begins without",
)
DISK_NOT_READ: Final = Event(
    "disk-not-read",
    Level.WARNING,
    "what is saved in {path} cannot be read now ({reason}): the node begins without, and saves when it can",
)
DISK_FAILS: Final = Event(
    "disk-fails",
    Level.WARNING,
    "cannot save what it holds on disk: {reason}; serves on, and tries again",
)
DISK_WORKS: Final = Event(
    "disk-works", Level.NOTICE, "saves what it holds on disk again, after {seconds:g} s without"
)

# --- who may come in, and what is open to whom

OPEN_TO_STRANGERS: Final = Event("open-to-strangers", Level.WARNING, "strangers can reach {listen}: {remedy}")
HTTP_OPEN_TO_STRANGERS: Final = Event(
    "http-open-to-strangers",
    Level.WARNING,
    "strangers can reach --http {listen}, which tells anybody of this node: let a firewall admit only those "
    "who watch it, or leave the address out and let them ask on this machine",
)
NO_ADMIN_SOCKET: Final = Event("no-admin-socket", Level.WARNING, "no admin socket: {error}")
NO_METRICS: Final = Event("no-metrics", Level.WARNING, "no metrics: {error}")
CERTIFICATE_EXPIRES: Final = Event(
    "certificate-expires",
    Level.WARNING,
    "the certificate in {file} {tense} on {date}; put a new one there, it is taken within a minute",
)
CLIENT_CONNECTED: Final = Event("client-connected", Level.DEBUG, "client {number}: connected")
CLIENT_CLOSED: Final = Event("client-closed", Level.DEBUG, "client {number}: {reason}")
CLIENTS_KILLED: Final = Event(
    "clients-killed", Level.NOTICE, "hangs up on {clients} clients of {whom!a}: asked for by {who}"
)
ENDED_FOR_OPERATOR: Final = Event(
    "sessions-ended", Level.NOTICE, "ends {sessions} sessions {which}: asked for by {who}"
)
CLIENT_TURNED_AWAY: Final = Event("client-turned-away", Level.WARNING, "closed a client from {host}: {reason}")
CLIENTS_TOO_MANY: Final = Event(
    "clients-too-many",
    Level.WARNING,
    "sends clients away ({clients}): {limit} are connected; raise -c on every server, to the number of "
    "workers of all web servers",
)
SLOW_READERS: Final = Event(
    "slow-readers",
    Level.WARNING,
    "hung up on {clients} clients that did not read their replies, to have memory for others (unsent_bytes)",
)
PREFIX_LEARNED: Final = Event(
    "prefix-learned",
    Level.NOTICE,
    "php-memcached locks sessions under {prefix!r}: its copies are known by what it does; name that with "
    "--lock-prefix, so that a worker that dies holds nobody up, too",
)

# --- memory

MEMORY_FULL: Final = Event(
    "memory-full",
    Level.WARNING,
    "memory is full: {evicted} live sessions or other values were dropped, the least recently used "
    "first; {remedy}",
)
CGROUP_FULL: Final = Event(
    "cgroup-full",
    Level.WARNING,
    "the memory cgroup is nearly full ({taken_mb} of {limit_mb} MB are taken): until there is room entries may "
    "take {allowed_mb} MB; {remedy}",
)
CGROUP_HAS_ROOM: Final = Event(
    "cgroup-has-room",
    Level.NOTICE,
    "the memory cgroup has room again ({taken_mb} of {limit_mb} MB are taken): entries may take "
    "{allowed_mb} MB",
)

# --- where this node stands

SERVES: Final = Event("serves", Level.NOTICE, "serves clients: it holds everything ({items} items)")
SERVES_AGAIN: Final = Event(
    "serves-again", Level.NOTICE, "serves clients again, after {seconds:.1f} s ({items} items)"
)
SERVES_NOT: Final = Event("serves-not", Level.WARNING, "serves no clients: {reason}")
DOES_NOT_BEGIN: Final = Event(
    "does-not-begin",
    Level.WARNING,
    "does not begin: {reason}; make that each node reaches each other one's link port",
)
BEGINS_EMPTY: Final = Event("begins-empty", Level.WARNING, "begins with no data: {reason}")
BEGINS_WITHOUT: Final = Event(
    "begins-without", Level.WARNING, "begins without {nodes}; if it holds sessions they are not here"
)
FETCHES: Final = Event("fetches", Level.INFO, "fetches what it lacks from {donor}")
FETCHES_AGAIN: Final = Event(
    "fetches-again",
    Level.WARNING,
    "lost touch with the others and closes its port; fetches what it lacks from {donor}",
)
SENDS_ROUND: Final = Event("sends-round", Level.INFO, "sends round {keys} keys that only this node has")

# --- the other nodes

VIEW: Final = Event("view", Level.NOTICE, "view {view}: {members} of {of} nodes[, {lacks}][ ({why})]")
NODE_IS: Final = Event("node-is", Level.NOTICE, "{peer} is {state}[: {reason}]")
PROBLEM: Final = Event("problem", Level.WARNING, "for {length} now: {problem}; {remedy}")
PROBLEM_IS_CRITICAL: Final = Event("problem-critical", Level.ERROR, "for {length} now: {problem}; {remedy}")
PROBLEM_IS_OVER: Final = Event("problem-over", Level.NOTICE, "over after {length}: {problem}")
CANNOT_REACH: Final = Event("cannot-reach", Level.WARNING, "cannot reach {peer} on port {port}: {reason}")
LINK_REFUSED: Final = Event("link-refused", Level.WARNING, "{peer} {refuses}: {reason}")
NODE_TURNED_AWAY: Final = Event(
    "node-turned-away", Level.WARNING, "turned away a node's link from {host}: {reason}"
)
STRANGER_TURNED_AWAY: Final = Event(
    "stranger-turned-away",
    Level.WARNING,
    "turned away a stranger from {host} at the nodes' port: {reason}",
)
NO_GREETING: Final = Event(
    "no-greeting", Level.NOTICE, "closed a node's link from {host}: no greeting in {seconds:g} s"
)
RELAY_UNUSABLE: Final = Event(
    "relay-unusable", Level.WARNING, "what came from {peer} over node {bridge} cannot be used: {error}"
)

# --- faults of memrep's own

COMMAND_FAILED: Final = Event(
    "command-failed", Level.ERROR, "a command is left unanswered because of a fault in memrep: {error}"
)
CLIENT_FAILED: Final = Event(
    "client-failed", Level.ERROR, "closes a client's connection because of a fault in memrep: {error}"
)


#: All of them, by name.
EVENTS: Final = {each.name: each for each in list(globals().values()) if isinstance(each, Event)}
