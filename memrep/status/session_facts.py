"""SEAM: sessions as JSON: what is found of them, and what came of ending some. Bytes travel as base64."""

from __future__ import annotations

import msgspec


class SessionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A session, or any other item.

    Attributes:
        key: its key; what is no text of UTF-8 in it as \\xff.
        size: of its value, bytes.
        flags: its client's.
        age_s: how long ago it was written, seconds.
        unread_s: how long ago the asked node was asked for it; None if that never was.
        left_s: after how many seconds it ends; None if never.
        locked: whether PHP works on a request of it.
        value: what it holds; None if that was not asked for.
    """

    key: str
    size: int
    flags: int
    age_s: float
    unread_s: float | None
    left_s: float | None
    locked: bool
    value: bytes | None = None


class SessionsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        node: the asked node's address.
        total: how many there are,
        size: and how large their values are together, bytes.
        sessions: some of them.
        format: of all this.
    """

    node: str
    total: int
    size: int
    sessions: list[SessionStatus]
    format: int = 1


class KillOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions to end: those with these names, or those that hold these bytes.

    Attributes:
        ids: what PHP calls them, or whole keys.
        match: bytes that a value holds.
        prefix: how keys begin besides.
    """

    ids: list[str] = []
    match: bytes = b""
    prefix: str = ""


class KilledStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        node: the asked node's address.
        ended: how many are ended, on all nodes.
        locked: how many of them were locked: the request that is at work may write its session once more.
        missing: the names for which there was nothing.
        left: how many were not ended, as the node could not serve any more.
        format: of all this.
    """

    node: str
    ended: int
    locked: int
    missing: list[str] = []
    left: int = 0
    format: int = 1
