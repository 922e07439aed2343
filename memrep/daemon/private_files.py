"""Files that nobody else may read: the secret that nodes prove to know, and clients' passwords."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from memrep.daemon.files import read_file
from memrep.errors import UsageError
from memrep.protocol.users import Users, parse_users

#: What can be guessed is no secret: somebody who poses as a node hears proofs to try guesses on.
_BYTES_MIN: Final = 16
_BYTES_MAX: Final = 4_096


def read_private(path: str, option: str) -> bytes:
    """Return what is in this file, or a little more than `_BYTES_MAX` of it.

    Raises:
        UsageError: it cannot be read, or others can read or change it.
    """
    try:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
        text = read_file(Path(path), _BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(
            f"{option} {path}: {error.strerror}; give a file that memrep's user may read"
        ) from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise UsageError(f"{option} {path}: others may read or change it; `chmod 600 {path}`")
    return text


def read_auth_file(path: str) -> Users:
    """Return the users of this file.

    Raises:
        UsageError: it cannot be read, others can read it, or a line is no `user:password`.
    """
    text = read_private(path, "--auth-file")
    if len(text) > _BYTES_MAX:
        raise UsageError(f"--auth-file {path} is larger than {_BYTES_MAX} bytes; that is no list of users")
    return parse_users(text, path)


def read_secret(path: str) -> bytes:
    """Return the secret in this file.

    Raises:
        UsageError: it cannot be read, others can read it, or it holds no secret.
    """
    text = read_private(path, "--secret-file")
    secret = text.strip()
    if b"\n" in secret or len(text) > _BYTES_MAX:
        raise UsageError(f"--secret-file {path} must hold one line; make one with {_make(path)}")
    if len(secret) < _BYTES_MIN:
        held = f"{len(secret)} bytes, {_BYTES_MIN} are the least"
        raise UsageError(f"--secret-file {path} holds {held}; make one with {_make(path)}")
    return secret


def _make(path: str) -> str:
    return f"`(umask 077; openssl rand -base64 32 > {path})`"
