"""Redis and Valkey: SCAN lists the keys, PTTL and GET read them, SET writes them.

phpredis spreads sessions over the servers of a save_path by their names, and never writes one twice. So each
server is read to its end; what was written again meanwhile is as old as its batch. Only strings are sessions
of PHP's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final

from memrep.errors import UsageError
from memrep.handlers.forms import Form
from memrep.handlers.item import BATCH, STORED, THERE, Item, LeftOut
from memrep.handlers.places import Server
from memrep.move.resp import RedisClient, Reply

_GONE: Final = LeftOut("gone meanwhile", is_loss=False)
_OTHERS: Final = LeftOut("no sessions, or locks", is_loss=False)


class Redises:
    """Sessions in Redis.

    Args:
        servers: all of them.
        form: what the sessions' keys are.

    Raises:
        UnansweredError: one of them does not answer.
        UsageError: one of them refuses.
    """

    def __init__(self, servers: Sequence[Server], form: Form) -> None:
        self._form = form
        self._servers = servers
        self._count = 0
        for server in servers:
            with closing(RedisClient(server)) as client:
                self._count += client.size()

    def count(self) -> int:
        """Tell how many keys there are, sessions or not."""
        return self._count

    def close(self) -> None:
        """Do nothing: what is open is so while it reads."""

    def read(self) -> Iterator[Item | LeftOut]:
        """Yield all sessions, one server after the other."""
        for server in self._servers:
            with closing(RedisClient(server)) as client:
                seen: set[bytes] = set()
                for keys in client.listed(self._form.prefix):
                    fresh = list(dict.fromkeys(key for key in keys if key not in seen))
                    seen.update(fresh)
                    for at in range(0, len(fresh), BATCH):
                        yield from self._read(client, fresh[at : at + BATCH])

    def _read(self, client: RedisClient, keys: list[bytes]) -> Iterator[Item | LeftOut]:
        names = {key: name for key in keys if (name := self._form.name(key)) is not None}
        yield from (_OTHERS for _ in range(len(keys) - len(names)))
        for name, value, left in read_keys(client, names):
            if value is None or left == _NO_KEY:
                yield _GONE
            elif isinstance(value, UsageError):
                yield LeftOut("no strings, so not PHP's sessions")
            elif isinstance(value, bytes) and isinstance(left, int):
                yield Item(names[name], value, left_ms=None if left < 0 else left)


#: PTTL of a key that is not there.
_NO_KEY: Final = -2


def read_keys(
    client: RedisClient, keys: Sequence[bytes] | dict[bytes, bytes]
) -> list[tuple[bytes, Reply, Reply]]:
    """Return each key with its value and its PTTL."""
    replies = client.pipeline([words for key in keys for words in ((b"GET", key), (b"PTTL", key))])
    return list(zip(keys, replies[::2], replies[1::2], strict=True))


class RedisTarget:
    """Writes items into Redis, or into a database of a memrep node.

    Args:
        client: a connection to it.
        only_missing: whether keys that are there stay as they are.
    """

    def __init__(self, client: RedisClient, only_missing: bool = False) -> None:
        self._client = client
        self._only_missing = only_missing

    def write(self, items: list[Item]) -> list[str]:
        """Set each key."""
        return [_outcome(reply) for reply in self._client.pipeline([self._command(item) for item in items])]

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def look(self, items: list[Item]) -> list[str]:
        """Tell what would come of each."""
        replies = self._client.pipeline([(b"EXISTS", item.name) for item in items])
        return [THERE if reply and self._only_missing else STORED for reply in replies]

    def _command(self, item: Item) -> list[bytes]:
        end = [] if item.left_ms is None else [b"PX", b"%d" % max(1, item.left_ms)]
        return [b"SET", item.name, item.value, *end, *([b"NX"] if self._only_missing else [])]


def _outcome(reply: Reply) -> str:
    if reply is None:
        return THERE
    return f"refused: {reply}" if isinstance(reply, UsageError) else STORED
