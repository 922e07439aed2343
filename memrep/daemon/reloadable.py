"""Which options a running node takes anew, and what the others need instead. This is the table of them all.

An option can be taken anew if nothing hangs on it that was made at the start: a port that might not be had
again, an agreement with the other nodes, which greet each other with it, or what is known of keys that are
there. docs/operating.md shows this table, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: What the others need.
ONE_BY_ONE: Final = "needs a restart, one node at a time"
TOGETHER: Final = "needs a restart of all nodes together, which ends all sessions"

_TAKEN: Final = ""

#: Each option of `memrep serve`, and what it needs to be changed; "" if a running node takes it anew.
OPTIONS: Final = {
    "nodes": TOGETHER,
    "self": ONE_BY_ONE,
    "listen": ONE_BY_ONE,
    "port": TOGETHER,
    "unix": ONE_BY_ONE,
    "data_dir": ONE_BY_ONE,
    "admin": ONE_BY_ONE,
    "http": ONE_BY_ONE,
    "redis": ONE_BY_ONE,
    "redis_no_keys": ONE_BY_ONE,
    "redis_announce": ONE_BY_ONE,
    "redis_masters": ONE_BY_ONE,
    "redis_cluster": ONE_BY_ONE,
    "fallback": _TAKEN,
    "memory": _TAKEN,
    "connections": _TAKEN,
    "item_size_max": _TAKEN,
    "failure_timeout": TOGETHER,
    "cold_start": ONE_BY_ONE,
    "drain": _TAKEN,
    "slow_log": _TAKEN,
    "partition": TOGETHER,
    "php": ONE_BY_ONE,
    # Which locks there are was found out by their names when they were taken: others would be nobody's.
    "lock_prefix": ONE_BY_ONE,
    "auth_file": _TAKEN,
    "tls_cert": _TAKEN,
    "tls_key": _TAKEN,
    "tls_ca": _TAKEN,
    "secret_file": _TAKEN,
    "disable_flush_all": ONE_BY_ONE,
    "disable_dumping": ONE_BY_ONE,
    "disable_watch": ONE_BY_ONE,
    "enable_shutdown": ONE_BY_ONE,
    "log_level": _TAKEN,
    "log_format": _TAKEN,
    "verbose": _TAKEN,
}

#: Options that name files, which are looked at again and again.
FILES: Final = ("auth_file", "tls_cert", "tls_key", "tls_ca", "secret_file")

#: Of these a node may be told others, but whether there is one at all is settled at the start: who is connected
#: has come by that rule, and the other nodes know this one by it.
SETTLED: Final = {
    "auth_file": ONE_BY_ONE,
    "tls_cert": ONE_BY_ONE,
    "secret_file": "needs a restart of all nodes",
}

#: Options that a running node may be told to do without, or to have another value, but not to have at all: what
#: they take is made at the start.
MADE_AT_START: Final = {"fallback": ONE_BY_ONE}


def needs(name: str, before: Mapping[str, object], given: Mapping[str, object]) -> str:
    """Return what it needs to change this option, which differs; "" if a running node takes it anew.

    Args:
        name: of the option.
        before: what the node runs with.
        given: what is given now.
    """
    value = given[name]
    if name in MADE_AT_START and value and not before[name]:
        return f"cannot be added to a running node, that {MADE_AT_START[name]}"
    if name in SETTLED and bool(value) != bool(before[name]):
        return f"cannot be {'added' if value else 'left out'} by a running node, that {SETTLED[name]}"
    return OPTIONS[name]
