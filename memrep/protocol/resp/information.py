"""What the server tells of itself: INFO CONFIG COMMAND TIME ROLE and the like (Redis' server.c, config.c).

INFO's figures are those of `stats`, under the names that Redis' tools look for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from memrep.protocol.resp.arguments import CommandError, integer, wrong_words
from memrep.protocol.resp.client import Client
from memrep.protocol.resp.command import FAST, NO_KEYS, Command, container
from memrep.protocol.resp.databases import ALL
from memrep.protocol.resp.glob import matcher
from memrep.protocol.resp.spelling import EMPTY, OK, ZERO, array, bulk, bulks
from memrep.protocol.resp.spelling import integer as spell_integer

Words = Sequence[bytes]
Figures = Mapping[str, object]
Section = Callable[[Client, Figures], dict[str, object]]


# --- INFO


def info(client: Client, words: Words) -> bytes:
    """INFO [section ...]"""
    wanted = [word.lower() for word in words[1:]] or [b"default"]
    figures = dict(client.server.stats())
    everything = bool({b"all", b"everything", b"default"} & set(wanted))
    parts = [
        b"# %b\r\n%b" % (name.capitalize(), _lines(section(client, figures)))
        for name, section in _SECTIONS.items()
        if everything or name in wanted
    ]
    return client.say.text(b"\r\n".join(parts))


def _lines(section: Mapping[str, object]) -> bytes:
    return "".join(f"{name}:{figure}\r\n" for name, figure in section.items()).encode()


def _server(client: Client, figures: Figures) -> dict[str, object]:
    server = client.server
    uptime = int(str(figures.get("uptime", 0)))
    return {
        "redis_version": server.redis_version.decode(),
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0",
        "redis_mode": server.mode.decode(),
        "os": "Linux",
        "arch_bits": 64,
        "multiplexing_api": "epoll",
        "process_id": figures.get("pid", 0),
        "run_id": server.run_id.decode(),
        "tcp_port": server.port,
        "server_time_usec": client.clock.wall * 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86_400,
        "hz": 20,
        "executable": "memrep",
        "config_file": "",
    }


def _clients(client: Client, figures: Figures) -> dict[str, object]:
    return {
        # Of both protocols, as maxclients are; where there is no process to count them, of this one.
        "connected_clients": figures.get("curr_connections", len(client.server.clients)),
        "maxclients": figures.get("max_connections", 0),
        "blocked_clients": 0,
        "tracking_clients": 0,
    }


def _memory(client: Client, figures: Figures) -> dict[str, object]:
    used, limit = int(str(figures.get("bytes", 0))), int(str(figures.get("limit_maxbytes", 0)))
    return {
        "used_memory": used,
        "used_memory_human": _human(used),
        "used_memory_rss": used,
        "used_memory_peak": used,
        "used_memory_peak_human": _human(used),
        "maxmemory": limit,
        "maxmemory_human": _human(limit),
        "maxmemory_policy": "allkeys-lru",
        "mem_fragmentation_ratio": "1.00",
        "mem_allocator": "libc",
    }


def _human(size: int) -> str:
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.2f}{unit}"
    return f"{size}B"


def _persistence(client: Client, figures: Figures) -> dict[str, object]:
    return {
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": 0,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": 0,
        "rdb_last_bgsave_status": "ok",
        "aof_enabled": 0,
    }


def _stats(client: Client, figures: Figures) -> dict[str, object]:
    names = {
        "total_connections_received": "total_connections",
        "total_net_input_bytes": "bytes_read",
        "total_net_output_bytes": "bytes_written",
        "rejected_connections": "rejected_connections",
        "expired_keys": "reclaimed",
        "evicted_keys": "evictions",
        "keyspace_hits": "get_hits",
        "keyspace_misses": "get_misses",
    }
    commands = sum(int(str(figures.get(name, 0))) for name in _COMMANDS_ON_KEYS)
    return {
        "total_commands_processed": commands,
        "instantaneous_ops_per_sec": 0,
        **{name: figures.get(ours, 0) for name, ours in names.items()},
        "pubsub_channels": len(client.server.subscriptions.channels()),
        "pubsub_patterns": client.server.subscriptions.patterns,
    }


#: What `stats` counts of the commands on keys.
_COMMANDS_ON_KEYS: Final = (
    "cmd_get", "cmd_set", "cmd_touch", "cmd_flush", "delete_hits", "delete_misses", "incr_hits", "incr_misses",
    "decr_hits", "decr_misses",
)  # fmt: skip


def _replication(client: Client, figures: Figures) -> dict[str, object]:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_replid": client.server.run_id.decode(),
        "master_repl_offset": 0,
    }


def _cpu(client: Client, figures: Figures) -> dict[str, object]:
    return {"used_cpu_sys": figures.get("rusage_system", 0), "used_cpu_user": figures.get("rusage_user", 0)}


def _cluster(client: Client, figures: Figures) -> dict[str, object]:
    return {"cluster_enabled": int(client.server.mode == b"cluster")}


def _keyspace(client: Client, figures: Figures) -> dict[str, object]:
    return {
        f"db{number}": f"keys={keys},expires={ending},avg_ttl=0"
        for number in range(len(ALL))
        for keys, ending in [client.server.store.census.of(number)]
        if keys
    }


def _memrep(client: Client, figures: Figures) -> dict[str, object]:
    names = (
        "memrep_version",
        "cluster_state",
        "cluster_nodes",
        "tombstones",
        "in_flight_bytes",
        "limit_in_force",
    )
    return {name: figures[name] for name in names if name in figures}


_SECTIONS: Final[dict[bytes, Section]] = {
    b"server": _server,
    b"clients": _clients,
    b"memory": _memory,
    b"persistence": _persistence,
    b"stats": _stats,
    b"replication": _replication,
    b"cpu": _cpu,
    b"cluster": _cluster,
    b"keyspace": _keyspace,
    b"memrep": _memrep,
}


# --- CONFIG and others


def _config_get(client: Client, words: Words) -> bytes:
    """Tell what fits; a name that is no pattern is told as it was asked for."""
    settings = _settings(client)
    found = {}
    for word in words[2:]:
        if word.lower() in settings:
            found[word.lower()] = word
        elif _PATTERN & set(word):
            fits = matcher(word.lower())
            found |= {name: name for name in settings if fits(name) and name not in found}
    return client.say.mapping([(asked, bulk(settings[name])) for name, asked in found.items()])


def _reset_stats(client: Client, words: Words) -> bytes:
    client.server.reset_stats()
    return OK


#: What makes a name a pattern.
_PATTERN: Final = frozenset(b"*?[")


def _settings(client: Client) -> dict[bytes, bytes]:
    figures = dict(client.server.stats())
    return {
        b"save": b"",
        b"appendonly": b"no",
        b"maxmemory": str(figures.get("limit_maxbytes", 0)).encode(),
        b"maxmemory-policy": b"allkeys-lru",
        b"databases": b"16",
        b"timeout": b"0",
        b"requirepass": b"",
        b"cluster-enabled": b"yes" if client.server.mode == b"cluster" else b"no",
        b"proto-max-bulk-len": b"536870912",
    }


def time(client: Client, words: Words) -> bytes:
    """TIME: seconds and microseconds"""
    wall = client.clock.wall
    return bulks([b"%d" % (wall // 1000), b"%d" % (wall % 1000 * 1000)])


def role(client: Client, words: Words) -> bytes:
    """ROLE: every node takes writes"""
    return array([bulk(b"master"), ZERO, EMPTY])


def wait(client: Client, words: Words) -> bytes:
    """WAIT nodes ms: at once, for each write was on all nodes before it was answered"""
    integer(words[1])
    if integer(words[2], b"ERR timeout is not an integer or out of range") < 0:
        raise CommandError(b"ERR timeout is negative")
    return spell_integer(len(client.server.topology.others))


def done(client: Client, words: Words) -> bytes:
    """SLOWLOG RESET: there is nothing to be forgotten"""
    return OK


def lastsave(client: Client, words: Words) -> bytes:
    """LASTSAVE"""
    return spell_integer(client.clock.wall // 1000)


def lolwut(client: Client, words: Words) -> bytes:
    """LOLWUT"""
    return client.say.text(b"Redis ver. %b, and memrep behind it\n" % client.server.redis_version)


def _who_am_i(client: Client, words: Words) -> bytes:
    return bulk(client.user or b"default")


def _slow(client: Client, words: Words) -> bytes:
    """SLOWLOG GET [count]: nothing is slow"""
    if len(words) > 3:
        raise wrong_words(words)
    refusal = b"ERR count should be greater than or equal to -1"
    if len(words) == 3 and integer(words[2], refusal) < -1:
        raise CommandError(refusal)
    return EMPTY


def _nothing_listed(client: Client, words: Words) -> bytes:
    """List nothing: nothing was noticed."""
    return EMPTY


def _none(client: Client, words: Words) -> bytes:
    return ZERO


COMMANDS: Final = (
    Command(b"info", -1, NO_KEYS, info),
    Command(b"time", 1, FAST | NO_KEYS, time),
    Command(b"role", 1, FAST | NO_KEYS, role),
    Command(b"wait", 3, NO_KEYS, wait),
    Command(b"lastsave", 1, FAST | NO_KEYS, lastsave),
    Command(b"lolwut", -1, FAST | NO_KEYS, lolwut),
    container(b"acl", Command(b"whoami", 2, NO_KEYS, _who_am_i)),
    container(
        b"config", Command(b"get", -3, NO_KEYS, _config_get), Command(b"resetstat", 2, NO_KEYS, _reset_stats)
    ),
    container(
        b"slowlog",
        Command(b"get", -2, NO_KEYS, _slow),
        Command(b"len", 2, NO_KEYS, _none),
        Command(b"reset", 2, NO_KEYS, done),
    ),
    container(
        b"latency",
        Command(b"latest", 2, NO_KEYS, _nothing_listed),
        Command(b"history", 3, NO_KEYS, _nothing_listed),
        Command(b"histogram", -2, NO_KEYS, _nothing_listed),
        Command(b"reset", -2, NO_KEYS, _none),
    ),
)
