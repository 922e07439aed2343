"""Retrieval by the binary protocol: get getk gat gatk; a quiet one keeps silent about a miss.

protocol-binary.txt, "Get, Get Quietly, Get Key, Get Key Quietly".
"""

from __future__ import annotations

from memrep.engine.operations import Result
from memrep.protocol.memcached.binary.client import BinaryClient
from memrep.protocol.memcached.binary.request import Request
from memrep.storage.entry import Entry


def get(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Show a value."""

    def shown(found: Result) -> bytes:
        return request.shown(found if isinstance(found, Entry) else client.commands.missed(request.key))

    client.show(client.engine.get(request.key), shown)


def gat(client: BinaryClient, request: Request, extras: bytes, value: bytes) -> None:
    """Show a value, and let it end anew."""
    client.show(client.engine.get_and_touch(request.key, client.deadline(extras)), request.shown)
