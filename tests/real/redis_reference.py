"""A redis-server that knows no more than memrep: it tells which tests of others lie within memrep's commands.

Redis' users may be allowed certain commands. Allowed are those of memrep's own table that redis-server knows:
a test that passes with nothing else has to pass on memrep, too. Scripts are not among them, for redis-server
would run any, and memrep runs those that it knows by their text; those are compared in tests/conformance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import redis

from memrep.protocol.resp.table import COMMANDS

from .processes import HOST, Child, Family, PortLease, find_program, until

#: Commands that are in the table, and mean another thing with redis-server.
_OTHERS: Final = frozenset(["eval", "evalsha", "sentinel"])

#: Who says what everybody else may.
_OPERATOR: Final = "operator"


class RestrictedRedis(Family):
    """One redis-server, at `port`, on which everybody may use memrep's commands only."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__()
        self._lease = PortLease(1)
        (self.port,) = self._lease.ports
        listening = ["--bind", HOST, "--port", str(self.port)]
        files = ["--dir", str(directory), "--save", "", "--appendonly", "no"]
        operator = ["--user", _OPERATOR, "on", "nopass", "~*", "&*", "+@all"]
        argv = [find_program("redis-server"), *listening, *files, *operator, *options]
        self.add(Child("redis-server", argv, directory))

    def __enter__(self) -> RestrictedRedis:
        try:
            with redis.Redis(HOST, self.port, username=_OPERATOR, password="any") as client:
                until(lambda: _answers(client), 10, "redis-server answers")
                allowed = [rule for rule in _rules() if _known(client, rule)]
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


def _rules() -> Iterator[str]:
    """Spell that each of memrep's commands is allowed."""
    for command in COMMANDS.values():
        if command.name.decode() not in _OTHERS:
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
