"""Files that nobody else may read: the secret that nodes prove to know, and passwords."""

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

#: The one that is proved, the one before, and the one that is to come.
_SECRETS_MAX: Final = 3


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


def read_secrets(path: str) -> tuple[bytes, ...]:
    """Return the secrets in this file, of which the first is proved and any is taken.

    Raises:
        UsageError: it cannot be read, others can read it, or it holds no secret, or too many.
    """
    text = read_private(path, "--secret-file")
    secrets = tuple(filter(None, map(bytes.strip, text.split(b"\n")))) or (b"",)
    if len(secrets) > _SECRETS_MAX or len(text) > _BYTES_MAX:
        raise UsageError(
            f"--secret-file {path} must hold one line, or up to {_SECRETS_MAX} while secrets are changed; make "
            f"one with {_make(path)}"
        )
    least = min(map(len, secrets))
    if least < _BYTES_MIN:
        held = f"{least} bytes" if len(secrets) == 1 else f"a line of {least} bytes"
        raise UsageError(
            f"--secret-file {path} holds {held}, {_BYTES_MIN} are the least; make one with {_make(path)}"
        )
    return secrets


def read_password(path: str, option: str) -> str:
    """Return the password that is the first line of this file.

    Raises:
        UsageError: it cannot be read, others can read it, or there is none.
    """
    line = read_private(path, option).partition(b"\n")[0].strip().decode(errors="replace")
    if not line:
        raise UsageError(f"{option}: {path} has no first line, which is to be the password")
    return line


def _make(path: str) -> str:
    return f"`(umask 077; openssl rand -base64 32 > {path})`"
