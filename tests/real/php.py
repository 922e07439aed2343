"""PHP as a client: the settings of php.ini for each session handler, and a PHP that a test talks to.

The profiles are those that people run: pecl-memcache over all nodes with redundancy (it fails over by itself),
pecl-memcache with only the local node, and php-memcached over all, in text mode and with the binary
protocol, in which it fails over by itself.
`Php` runs cycle.php in one php-cli process, with the extensions loaded by the distribution's own ini files.
"""

import hashlib
import json
import queue
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import attrs

from .generation import USED, Generation
from .named import NAME
from .processes import HOST, Child, Family, missing

HERE = Path(__file__).resolve().parent
ANSWER_TIMEOUT_S = 60

# The client gives a node up after this long, whether it does not connect or does not answer.
PECL_TIMEOUT_S = 1


def address_of(node: int | str) -> str:
    """Where this node is; a number is its port on this host."""
    return node if isinstance(node, str) else f"{HOST}:{node}"


def pecl_memcache(
    nodes: Sequence[int | str], redundancy: int, *, own: int | None = None, lock_timeout_s: int = 15
) -> dict[str, str]:
    """pecl-memcache over these nodes; it reads from and writes to this many of them.

    With `own`, the index of one of them, nearly every session begins there: the node of this web server.
    """
    first = [] if own is None else [own]
    path = []
    for i in [*first, *(i for i in range(len(nodes)) if i != own)]:
        weight = "&weight=20" if i == own else ""
        path.append(f"tcp://{address_of(nodes[i])}?timeout={PECL_TIMEOUT_S}{weight}")
    settings = {
        "session.save_handler": "memcache",
        "session.save_path": ",".join(path),
        "memcache.session_redundancy": str(redundancy),
        "memcache.lock_timeout": str(lock_timeout_s),
    }
    if own is not None:
        # With unequal weights it takes more attempts to come across every node.
        settings["memcache.max_failover_attempts"] = "1000"
    return settings


def php_memcached_text(ports: Sequence[int], *, drops_failed_servers: bool = False) -> dict[str, str]:
    """php-memcached with the text protocol, in which it ignores sess_number_of_replicas."""
    settings = {
        "session.save_handler": "memcached",
        "session.save_path": ",".join(f"{HOST}:{port}" for port in ports),
        "memcached.sess_binary_protocol": "Off",
        # Without it the lock of a php-cli never expires.
        "memcached.sess_lock_expire": "30",
    }
    if drops_failed_servers:
        settings |= {"memcached.sess_remove_failed_servers": "1", "memcached.sess_server_failure_limit": "1"}
    return settings


def php_memcached_binary(
    nodes: Sequence[int | str], *, own: int | None = None, lock_expire_s: int = 30
) -> dict[str, str]:
    """php-memcached with the binary protocol and the four settings that make it go to another node.

    With `own`, the index of one of them, nearly every session and lock begins there.
    """
    first = [] if own is None else [own]
    path = []
    for i in [*first, *(i for i in range(len(nodes)) if i != own)]:
        path.append(f"{address_of(nodes[i])}:{20 if i == own else 1}")
    return {
        "session.save_handler": "memcached",
        "session.save_path": ",".join(path),
        "memcached.sess_binary_protocol": "On",
        "memcached.sess_remove_failed_servers": "1",
        "memcached.sess_server_failure_limit": "1",
        "memcached.sess_number_of_replicas": str(len(nodes) - 1),
        "memcached.sess_consistent_hash_type": "ketama_weighted",
        "memcached.sess_connect_timeout": "200",
        "memcached.sess_locking": "On",
        "memcached.sess_lock_wait_min": "10",
        "memcached.sess_lock_wait_max": "50",
        "memcached.sess_lock_retries": "300",
        "memcached.sess_lock_expire": str(lock_expire_s),
    }


def phpredis(port: int, path: str = "", **more: str) -> dict[str, str]:
    """phpredis' session handler, which knows its nodes by one name that has all their addresses (named.py).

    Args:
        port: the port of each for Redis' clients.
        path: more parameters of its save_path.
        more: more settings, with `__` for each point of their names.
    """
    settings = {
        "session.save_handler": "redis",
        "session.save_path": f"tcp://{NAME}:{port}?timeout=1&read_timeout=2{path}",
    }
    return settings | {name.replace("__", "."): value for name, value in more.items()}


def rediscluster(places: Sequence[tuple[str, int]], read_timeout_s: int = 2) -> dict[str, str]:
    """phpredis' session handler for a Redis Cluster, which is told of all nodes and asks which serve.

    Args:
        places: host and port of each for Redis' clients.
        read_timeout_s: how long it waits for a reply.
    """
    seeds = "&".join(f"seed[]={host}:{port}" for host, port in places)
    return {
        "session.save_handler": "rediscluster",
        "session.save_path": f"{seeds}&timeout=1&read_timeout={read_timeout_s}&prefix={REDIS_PREFIX}",
    }


# How phpredis' keys begin.
REDIS_PREFIX = "PHPREDIS_SESSION:"

# How php-memcached's keys begin: that of a session, and that of its lock.
MEMCACHED_PREFIX = "memc.sess.key."
MEMCACHED_LOCK_PREFIX = "memc.sess.key.lock."

# No cookie and no cache headers: there is no browser here, and both would need output to come
# after the session. Chance decides when PHP collects garbage; here it never does.
CLI_SETTINGS = {
    "session.use_cookies": "0",
    "session.use_only_cookies": "0",
    "session.cache_limiter": "",
    "session.gc_probability": "0",
    "session.use_strict_mode": "0",
    "session.auto_start": "0",
    "session.serialize_handler": "php",
    "display_errors": "stderr",
}


def find_php(extension: str, generation: Generation | None = None) -> list[str]:
    """How php-cli is called, of the generation that the test is about or of this one; it has this extension."""
    php = (generation or USED.generation).command("php")
    loaded = subprocess.run([*php, "-m"], capture_output=True, text=True, timeout=20, check=True).stdout
    if extension not in loaded.split():
        missing(f"the PHP extension {extension}")
    return php


def version_of(extension: str) -> str:
    """What this extension says its version is."""
    code = f"echo phpversion('{extension}');"
    done = subprocess.run([*find_php(extension), "-r", code], capture_output=True, text=True, check=True)
    return done.stdout


@attrs.frozen
class Summary:
    """What a PHP made of the cycles that one order asked for."""

    cycles: int
    ok: int
    anomalies: dict[str, int]
    slowest_ms: float
    notices: dict[str, int]
    counts: list[int | None] = attrs.field(factory=list)


class Driven(Family):
    """One program that does what it is told by lines of JSON, and tells by such lines what came of it."""

    def __init__(self, argv: Sequence[str], directory: Path, name: str) -> None:
        super().__init__()
        self.child = self.add(Child(name, argv, directory, pipes=True))
        self.anomalies: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        self.child.process.kill()
        self._listener.join()
        super().__exit__(kind, failure, trace)
        if failure is not None and self.anomalies:
            told = "\n".join(json.dumps(anomaly) for anomaly in self.anomalies[:20])
            failure.add_note(f"===== the first anomalies of {self.child.name} =====\n{told}")

    def order(self, do: str, **details: object) -> None:
        """Give an order and return at once."""
        pipe = self.child.process.stdin
        assert pipe is not None
        pipe.write(json.dumps({"do": do, **details}).encode() + b"\n")
        pipe.flush()

    def summary(self, timeout_s: float = ANSWER_TIMEOUT_S) -> Summary:
        """The outcome of the last order, once it is done."""
        deadline = time.monotonic() + timeout_s
        while (line := self._next(deadline)) is not None:
            if "summary" in line:
                return Summary(**line["summary"])
            self.anomalies.append(line)
        raise AssertionError(f"{self.child.name} did not finish its order within {timeout_s} s")

    def ask(self, do: str, **details: object) -> Summary:
        """Give an order and wait for its outcome."""
        self.order(do, **details)
        return self.summary()

    def anomaly_within(self, seconds: float) -> dict[str, Any] | None:
        """The next anomaly, or None when a flow runs on well for so long."""
        line = self._next(time.monotonic() + seconds)
        if line is not None:
            self.anomalies.append(line)
        return line

    def page_over(self, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any] | None:
        """Wait until the page is over that a flow is at now; the anomaly that came instead, or None."""
        self.order("page")
        line = self._next(time.monotonic() + timeout_s)
        assert line is not None, f"{self.child.name} did not end its page within {timeout_s} s"
        if "pages" in line:
            return None
        self.anomalies.append(line)
        return line

    def _next(self, deadline: float) -> dict[str, Any] | None:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if line is None:
            return self._ended(self.child.process.wait())
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise AssertionError(f"{self.child.name} said {line!r}") from None
        return answer

    def _ended(self, status: int) -> dict[str, Any]:
        """It said its last line."""
        raise AssertionError(f"{self.child.name} ended with status {status}")

    def _listen(self) -> None:
        """Hand every line on; None says that there will be no more."""
        pipe = self.child.process.stdout
        assert pipe is not None
        for line in pipe:
            self._lines.put(line.decode(errors="replace"))
        self._lines.put(None)


class Php(Driven):
    """One php-cli process that runs session cycles on order and tells every anomaly.

    It may run `within` a command that changes what it sees of the machine.
    """

    def __init__(
        self,
        settings: dict[str, str],
        directory: Path,
        name: str = "php",
        sessions: int = 20,
        label: str = "session",
        script: str = "cycle.php",
        within: Sequence[str] = (),
    ) -> None:
        handler = settings["session.save_handler"].removesuffix("cluster")
        extension = "session" if handler == "files" else handler
        options = [f'-d{key}="{value}"' for key, value in (CLI_SETTINGS | settings).items()]
        argv = [*within, *find_php(extension), *options, str(HERE / script), str(sessions), label]
        super().__init__(argv, directory, name)


def session_ids(sessions: int = 20, label: str = "session") -> list[str]:
    """The ids that cycle.php uses for these arguments, to look their sessions up in a node."""
    return [hashlib.sha1(f"{label}-{i}".encode()).hexdigest()[:26] for i in range(sessions)]
