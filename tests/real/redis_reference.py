"""A redis-server that knows no more than memrep: it tells which tests of others lie within memrep's commands.

Redis' users may be allowed certain commands. Allowed are those of memrep's own table that redis-server knows:
a test that passes with nothing else has to pass on memrep, too. Scripts are among them if that is asked for:
redis-server runs any, and memrep those that it knows by their text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import redis

from memrep.protocol.resp.table import COMMANDS

from .processes import HOST, NODE_LINK_OFFSET, Child, Family, PortLease, find_program, until

#: The commands that run scripts.
_SCRIPTS: Final = frozenset(["eval", "evalsha"])

#: Who says what everybody else may.
_OPERATOR: Final = "operator"


class RestrictedRedis(Family):
    """One redis-server, at `port`, on which everybody may use memrep's commands only.

    Args:
        directory: for its files.
        scripts: whether it may run scripts.
        cluster: whether it is a whole Redis Cluster.
    """

    def __init__(self, directory: Path, *, scripts: bool = False, cluster: bool = False) -> None:
        super().__init__()
        self._scripts = scripts
        self._cluster = cluster
        self._lease = PortLease(1, offsets=(0, NODE_LINK_OFFSET))
        (self.port,) = self._lease.ports
        listening = ["--bind", HOST, "--port", str(self.port)]
        files = ["--dir", str(directory), "--save", "", "--appendonly", "no"]
        operator = ["--user", _OPERATOR, "on", "nopass", "~*", "&*", "+@all"]
        if cluster:
            listening += ["--cluster-enabled", "yes", "--cluster-port", str(self.port + NODE_LINK_OFFSET)]
            listening += ["--cluster-announce-ip", HOST]  # a node without others learns it from nobody
        argv = [find_program("redis-server"), *listening, *files, *operator]
        self.add(Child("redis-server", argv, directory))

    def __enter__(self) -> RestrictedRedis:
        try:
            with redis.Redis(HOST, self.port, username=_OPERATOR, password="any") as client:
                until(lambda: _answers(client), 10, "redis-server answers")
                if self._cluster:
                    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
                    until(
                        lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), 10, "it is up"
                    )
                allowed = [rule for rule in _rules(self._scripts) if _known(client, rule)]
                client.execute_command("ACL", "SETUSER", "default", "-@all", *allowed)
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._lease.close()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _rules(scripts: bool) -> Iterator[str]:
    """Spell that each of memrep's commands is allowed."""
    for command in COMMANDS.values():
        if scripts or command.name.decode() not in _SCRIPTS:
            yield from (f"+{each.name.decode()}" for each in command.subcommands.values() or [command])
    yield "+command"  # which has subcommands, and means something alone


def _known(client: redis.Redis, rule: str) -> bool:
    """Tell whether redis-server knows this command."""
    try:
        client.execute_command("ACL", "SETUSER", "nobody", rule)
    except redis.ResponseError as refusal:
        assert "Unknown command or category name" in str(refusal), refusal
        return False
    return True
