"""Redis with Sentinel behind haproxy: one master, two replicas, a sentinel on each server.

One haproxy stands beside PHP, and sends it to the master. How it knows the master is the old question of this
set-up. `RedisServers` asks each redis-server whether it is (role:master), as most descriptions do; a master
that was frozen or cut off still says so for a while. `NamedRedisServers` asks the sentinels as well, and
takes only whom two of three name.

What an operator's start script does is done here, too: a redis-server that comes back asks the sentinels who is
master now, and joins that one as its replica. Started as what it was it would be an empty master beside
the other.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any, Final

import redis

from bench.comparison.servers import HAPROXY_PORT, VICTIM, Servers, start_haproxy
from tests.faults.nodes import STOP_TIMEOUT_S
from tests.real.processes import HOST, Child, accepts, find_program, until
from tests.real.urgency import as_the_unit_runs

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379

_NAME: Final = "sessions"
_START_TIMEOUT_S: Final = 20.0
_PAUSE_MS: Final = 5_000

#: A master without a replica that has answered within two seconds takes no writes: what it took would be lost
#: with it. Replicas answer every second. They attach without the pause of 5 s in which a master waits for more
#: of them. Nothing is kept on disk, as by the others.
_REDIS: Final = """
bind {host}
port 6379
protected-mode no
dir {directory}
save ""
appendonly no
min-replicas-to-write 1
min-replicas-max-lag 2
repl-diskless-sync yes
repl-diskless-sync-delay 0
"""

#: A second of silence is down. Lower is held to be asking for failovers for nothing.
_SENTINEL: Final = """
bind {host}
port 26379
protected-mode no
dir {directory}
sentinel monitor sessions {master} 6379 2
sentinel down-after-milliseconds sessions 1000
sentinel failover-timeout sessions 5000
sentinel parallel-syncs sessions 2
"""

#: Checks twice a second, decided by the first answer; who is at a server that goes down is sent away at once.
_HAPROXY: Final = """
defaults
    mode tcp
    timeout connect 300ms
    timeout client 1h
    timeout server 1h
    timeout check 500ms
    retries 3
    option redispatch 1
    default-server inter 500ms fall 1 rise 1
"""
_IS_MASTER: Final = """
    option tcp-check
    tcp-check connect
    tcp-check send PING\\r\\n
    tcp-check expect string +PONG
    tcp-check send info\\ replication\\r\\n
    tcp-check expect string role:master
    tcp-check send QUIT\\r\\n
    tcp-check expect string +OK
"""


class RedisServers(Servers):
    """Three servers with a redis-server and a sentinel each, and a haproxy that takes who says it is master."""

    def start(self, i: int) -> None:
        """Start what runs on server i, without waiting for it."""
        self._start_redis(i)
        if f"sentinel{i}" in self.children:
            self._start_sentinel(i)

    def kill(self, i: int) -> None:
        """End redis-server and sentinel."""
        super().kill(i)
        self.children[f"sentinel{i}"].kill()

    def freeze(self, i: int) -> None:
        """Stop redis-server and sentinel where they stand."""
        self.children[f"sentinel{i}"].process.send_signal(signal.SIGSTOP)
        super().freeze(i)

    def thaw(self, i: int) -> None:
        """Let both go on."""
        super().thaw(i)
        self.children[f"sentinel{i}"].process.send_signal(signal.SIGCONT)

    def restart(self, i: int) -> None:
        """Make another one the master first, as one does; the sentinel runs on.

        What the old one acknowledges while another takes over is lost, so writes wait from here on. It takes
        itself for a master for another ten seconds, unless it ends before that.
        """
        with self._client(i, REDIS_PORT) as client:
            client.execute_command("CLIENT", "PAUSE", _PAUSE_MS, "WRITE")
        self._ask_sentinel(1, "SENTINEL", "FAILOVER", _NAME)
        until(lambda: i not in self._named(), _START_TIMEOUT_S, "all sentinels name another master")
        self._wanted.discard(i)
        self.node(i).terminate(STOP_TIMEOUT_S)
        self._start_redis(i)

    def whole(self) -> bool:
        """Whether there is one master with all replicas; the sentinels and haproxy come behind it at first."""
        with suppress(redis.RedisError):
            if not self._replicas_are_online():
                return False
            for i in range(self.count):
                if f"sentinel{i}" not in self.children:
                    self._start_sentinel(i)
            if not all(self._sentinel_knows_all(i) for i in range(self.count)):
                return False
            if "haproxy" not in self.children:
                start_haproxy(self, self.haproxy())
            # Each server counts as up until its first check, and they take turns.
            return accepts(HAPROXY_PORT) and all(self._is_led_to_the_master() for _ in range(self.count))
        return False

    def haproxy(self) -> str:
        """Its configuration."""
        servers = "".join(
            f"    server redis{i} {host}:{REDIS_PORT} check on-marked-down shutdown-sessions\n"
            for i, host in enumerate(self._hosts())
        )
        return f"{_HAPROXY}\nlisten redis\n    bind {HOST}:{HAPROXY_PORT}{_IS_MASTER}{servers}"

    def _hosts(self) -> list[str]:
        return [host for host, _ in self.addresses]

    def _start_redis(self, i: int) -> None:
        host = self._hosts()[i]
        files = self.directory / f"redis{i}"
        files.mkdir(exist_ok=True)
        configuration = files / "redis.conf"
        text = _REDIS.format(host=host, directory=files)
        master = self._master()
        if master != i:
            text += f"replicaof {self._hosts()[master]} {REDIS_PORT}\n"
        configuration.write_text(text)
        argv = [*self.within(i), find_program("redis-server"), str(configuration)]
        self.add(Child(f"node{i}", as_the_unit_runs(argv), self.directory))
        self._wanted.add(i)

    def _start_sentinel(self, i: int) -> None:
        files = self.directory / f"sentinel{i}"
        files.mkdir(exist_ok=True)
        configuration = files / "sentinel.conf"
        if not configuration.exists():
            master = self._hosts()[VICTIM]
            configuration.write_text(_SENTINEL.format(host=self._hosts()[i], directory=files, master=master))
        argv = [*self.within(i), find_program("redis-server"), str(configuration), "--sentinel"]
        self.add(Child(f"sentinel{i}", as_the_unit_runs(argv), self.directory))

    def _master(self) -> int:
        """Who is master, as most sentinels say; the victim at first."""
        named = self._named()
        return max(named, key=named.count) if named else VICTIM

    def _named(self) -> list[int]:
        """Whom each sentinel that answers names as master."""
        named = []
        for i in range(self.count):
            sentinel = self.children.get(f"sentinel{i}")
            if sentinel is not None and sentinel.running:
                with suppress(redis.RedisError):
                    host, _ = self._ask_sentinel(i, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", _NAME)
                    named.append(self._hosts().index(host))
        return named

    def _replicas_are_online(self) -> bool:
        with self._client(self._master(), REDIS_PORT) as client:
            told = client.info("replication")
        replicas = [told.get(f"slave{k}", {}).get("state") for k in range(self.count - 1)]
        return told["role"] == "master" and replicas == ["online"] * (self.count - 1)

    def _sentinel_knows_all(self, i: int) -> bool:
        words = self._ask_sentinel(i, "SENTINEL", "MASTER", _NAME)
        told = words if isinstance(words, dict) else dict(zip(words[::2], words[1::2], strict=True))
        others = str(self.count - 1)
        known = (str(told["num-slaves"]), str(told["num-other-sentinels"]))
        return known == (others, others)

    def _is_led_to_the_master(self) -> bool:
        with redis.Redis(HOST, HAPROXY_PORT, socket_timeout=1) as client:
            return bool(client.info("replication")["role"] == "master")

    def _ask_sentinel(self, i: int, *words: str) -> Any:
        with self._client(i, SENTINEL_PORT) as client:
            return client.execute_command(*words)

    def _client(self, i: int, port: int) -> Any:
        return redis.Redis(self._hosts()[i], port, socket_timeout=1, decode_responses=True)


class NamedRedisServers(RedisServers):
    """The same, and haproxy takes only a master whom two of the three sentinels name."""

    def haproxy(self) -> str:
        """Its configuration."""
        return _HAPROXY + self._frontend() + "".join(map(self._backends, self._hosts()))

    def _frontend(self) -> str:
        lines = [f"    use_backend {host} if {{ nbsrv(say-{host}) ge 2 }}\n" for host in self._hosts()]
        return f"\nfrontend redis\n    bind {HOST}:{HAPROXY_PORT}\n{''.join(lines)}"

    def _backends(self, host: str) -> str:
        question = f"SENTINEL\\ get-master-addr-by-name\\ {_NAME}\\r\\n\n"
        sentinels = "".join(
            f"    server sentinel{i} {at}:{SENTINEL_PORT} check\n" for i, at in enumerate(self._hosts())
        )
        return (
            f"\nbackend {host}{_IS_MASTER}"
            f"    server redis {host}:{REDIS_PORT} check on-marked-down shutdown-sessions\n"
            f"\nbackend say-{host}\n    option tcp-check\n    tcp-check connect\n"
            f"    tcp-check send {question}    tcp-check expect string {host}\n{sentinels}"
        )
