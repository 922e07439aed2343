"""Counts: which of a node's counters is told by which metric, and under which labels.

The counters have memcached's names, of which some are parts of others: a `cas` that finds nothing is a
`cmd_set`, too, and a meta command counts as what it does besides. A sum over all commands would count these
twice, so help texts say what a series holds, and nothing is added up here.
"""

from __future__ import annotations

from typing import Final

#: Of a command that is not asked how it ended.
_ANY: Final = "any"

_COMMANDS: Final[dict[tuple[str, ...], str]] = {
    ("get", "hit"): "get_hits",
    ("get", "miss"): "get_misses",
    ("touch", "hit"): "touch_hits",
    ("touch", "miss"): "touch_misses",
    ("delete", "hit"): "delete_hits",
    ("delete", "miss"): "delete_misses",
    ("incr", "hit"): "incr_hits",
    ("incr", "miss"): "incr_misses",
    ("decr", "hit"): "decr_hits",
    ("decr", "miss"): "decr_misses",
    ("cas", "hit"): "cas_hits",
    ("cas", "miss"): "cas_misses",
    ("cas", "conflict"): "cas_badval",
    ("set", _ANY): "cmd_set",
    ("flush", _ANY): "cmd_flush",
    ("meta", _ANY): "cmd_meta",
}

#: Name, help, labels, and for their values the counter.
COUNTS: Final[tuple[tuple[str, str, tuple[str, ...], dict[tuple[str, ...], str]], ...]] = (
    (
        "memrep_commands_total",
        'Commands of clients, each key for itself. set holds every way to store, cas too; "conflict" is a cas '
        "that came too late; meta commands count as what they do, too.",
        ("command", "result"),
        _COMMANDS,
    ),
    (
        "memrep_get_misses_ended_total",
        "Of the gets that missed, those whose item had expired or been flushed.",
        ("cause",),
        {("expired",): "get_expired", ("flushed",): "get_flushed"},
    ),
    ("memrep_items_stored_total", "Items that clients have stored.", (), {(): "total_items"}),
    (
        "memrep_stores_refused_total",
        "Items that were not stored: larger than -I allows, or there was no room.",
        ("reason",),
        {("too-large",): "store_too_large", ("no-memory",): "store_no_memory"},
    ),
    (
        "memrep_evictions_total",
        "Live items that were ended for want of room: sessions of users.",
        (),
        {(): "evictions"},
    ),
    (
        "memrep_evictions_unfetched_total",
        "Of these, those that nobody had read.",
        (),
        {(): "evicted_unfetched"},
    ),
    (
        "memrep_evictions_expiring_total",
        "Of these, those that would have expired one day.",
        (),
        {(): "evicted_nonzero"},
    ),
    (
        "memrep_last_eviction_idle_seconds",
        "For how long the item that was evicted last had not been used.",
        (),
        {(): "evicted_time"},
    ),
    ("memrep_connections_accepted_total", "Clients that were let in.", (), {(): "total_connections"}),
    (
        "memrep_connections_refused_total",
        "Clients that were sent away because there were as many as may be.",
        (),
        {(): "rejected_connections"},
    ),
    (
        "memrep_connection_yields_total",
        "How often a client had its share of a turn and the rest was left to the next one.",
        (),
        {(): "conn_yields"},
    ),
    (
        "memrep_slow_readers_total",
        "Clients that were hung up on because they did not read their replies.",
        (),
        {(): "slow_readers"},
    ),
    ("memrep_client_read_bytes_total", "Bytes that clients have sent.", (), {(): "bytes_read"}),
    ("memrep_client_written_bytes_total", "Bytes that clients were sent.", (), {(): "bytes_written"}),
    (
        "memrep_fences_total",
        "How often this process was found to have been stopped, and closed its clients' connections unread.",
        (),
        {(): "fences"},
    ),
)

#: Name, help, and what it is among the figures of the policy for clients.
POLICY: Final = (
    (
        "memrep_php_locks_granted_total",
        "Locks of PHP's sessions that this node's clients were granted.",
        "lock_grants",
    ),
    (
        "memrep_php_locks_in_doubt",
        "Locks that were granted in the last moment of their node, so that perhaps nobody holds them.",
        "locks_in_doubt",
    ),
    ("memrep_php_locks_ended_total", "Of these, those that were ended for that.", "locks_ended"),
    (
        "memrep_php_copies_recognised_total",
        "Writes of PHP's that another node had taken already, and that were not executed again.",
        "copies",
    ),
)

#: Counters that no metric tells, and why.
TOLD_OTHERWISE: Final = {"cmd_touch": "it is touch_hits and touch_misses together"}
