"""SASL's mechanism PLAIN (RFC 4616), the one by which clients of the binary protocol show their password.

Once a client has failed, or asks for the mechanisms anew, it is not admitted any more. As in memcached nobody
is admitted twice on one connection.
"""

from __future__ import annotations

from memrep.protocol.users import Users


class PlainLogin:
    """What one client has shown of itself.

    Args:
        users: who may come in.

    Attributes:
        admitted: whether it is let in now.
    """

    __slots__ = ("_asked", "_users", "_was_admitted", "admitted")

    def __init__(self, users: Users) -> None:
        self._users = users
        self.admitted = False
        self._asked = False  # for the mechanism that there is
        self._was_admitted = False  # once

    def begin(self) -> None:
        """Begin anew: as in memcached, a client that asks is not admitted."""
        self.admitted = False

    def choose(self, mechanism: bytes) -> bool:
        """Begin anew by this mechanism; return whether it is to be had."""
        self.admitted = False
        self._asked = mechanism.upper() == b"PLAIN" and not self._was_admitted
        return self._asked

    def admit(self, message: bytes) -> bool:
        """Judge `authorization NUL user NUL password`; no user may act for another one."""
        parts = message.split(b"\0")
        known = len(parts) == 3 and parts[0] in (b"", parts[1])
        self.admitted = self._asked and known and self._users.admit(parts[1], parts[2])
        self._asked = False
        self._was_admitted |= self.admitted
        return self.admitted
