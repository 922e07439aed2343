"""Who may come in: the users of memcached's auth file (its doc/protocol.txt, "Authentication").

A line is `user:password`; everything behind the first colon is the password. As in memcached the same file
serves the text protocol and, there by way of a SASL library, the binary one.
"""

from __future__ import annotations

import hmac

import attrs

from memrep.errors import UsageError


@attrs.define(eq=False)
class Users:
    """The users and their passwords.

    Attributes:
        passwords: by user.
        asked: how often somebody gave one.
        refused: how often it was wrong.
    """

    passwords: dict[bytes, bytes] = attrs.field(repr=False)
    asked: int = 0
    refused: int = 0

    def admit(self, user: bytes, password: bytes) -> bool:
        """Tell whether this is the user's password; how long that takes tells nothing about either."""
        right = self.passwords.get(user)
        same = hmac.compare_digest(password, right or b"")
        admitted = same and right is not None
        self.asked += 1
        self.refused += not admitted
        return admitted

    def admit_any(self, password: bytes) -> bool:
        """Tell whether this is some user's password; all are looked at, whichever it is."""
        admitted = sum([hmac.compare_digest(password, right) for right in self.passwords.values()]) > 0
        self.asked += 1
        self.refused += not admitted
        return admitted


def parse_users(text: bytes, name: str) -> Users:
    """Return the users of an auth file's content.

    Raises:
        UsageError: there is none, or a line is no `user:password`; `name` is the file's.
    """
    passwords = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        user, colon, password = line.partition(b":")
        if not (user and colon and password):
            raise UsageError(f"--auth-file {name}: line {number} is no user:password")
        passwords[user] = password
    if not passwords:
        raise UsageError(f"--auth-file {name} names no user; write a line user:password")
    return Users(passwords)
