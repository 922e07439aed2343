"""The line of a meta command: its key and its flags, read and checked, before anything is done."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

import attrs

from memrep.protocol.memcached.errors import BAD_LINE
from memrep.protocol.memcached.limits import KEY_BYTES_MAX
from memrep.protocol.memcached.numbers import signed32, unsigned

#: A line has no more words than this.
_WORDS_MAX: Final = 19

#: Longest opaque, the O in front counted.
_OPAQUE_MAX: Final = 32

TOO_LONG: Final = b"CLIENT_ERROR options flags too long\r\n"
TOO_LONG_GET: Final = b"CLIENT_ERROR options flags are too long\r\n"
_DUPLICATE: Final = b"CLIENT_ERROR duplicate flag\r\n"
_UNKNOWN: Final = b"CLIENT_ERROR invalid flag\r\n"
_INVALID: Final = b"CLIENT_ERROR invalid or duplicate flag\r\n"
_BAD_KEY: Final = b"CLIENT_ERROR error decoding key\r\n"
_BAD_TOKEN: Final = b"CLIENT_ERROR bad token in command line format\r\n"
_BAD_MODE: Final = b"CLIENT_ERROR incorrect length for M token\r\n"
_BAD_OPAQUE: Final = b"CLIENT_ERROR opaque token too long\r\n"

_FLAGS: Final = frozenset(b"bNTRlOPLkstcfvhuqFCMJDIEx")

#: Flags whose token is a time, and those whose token is a number of 64 bits with what is said of a bad one.
_TIMES: Final = b"NTR"
_NUMBERS: Final = {
    ord("C"): _BAD_TOKEN,
    ord("E"): _BAD_TOKEN,
    ord("J"): b"CLIENT_ERROR invalid numeric initial value\r\n",
    ord("D"): b"CLIENT_ERROR invalid numeric delta value\r\n",
}

Words = list[bytes]


class BadMeta(Exception):
    """A meta command that makes no sense; its one argument is the reply."""


@attrs.define(eq=False)
class Meta:
    """One meta command, read.

    Attributes:
        key: the key, decoded.
        word: the key as the client is to see it.
        flags: in the order asked: the letter, and the token behind it.
        times: by letter, the tokens that are times, s.
        numbers: by letter, the tokens that are numbers.
    """

    key: bytes
    word: bytes
    flags: dict[int, bytes]
    times: dict[int, int]
    numbers: dict[int, int]

    def __contains__(self, letter: str) -> bool:
        return ord(letter) in self.flags

    def time(self, letter: str) -> int | None:
        """Return the time behind this flag, s; None if it is not there."""
        return self.times.get(ord(letter))

    def number(self, letter: str) -> int | None:
        """Return the number behind this flag; None if it is not there."""
        return self.numbers.get(ord(letter))

    @property
    def quiet(self) -> bool:
        """Tell whether the expected outcome is not told."""
        return "q" in self

    def mode(self, known: tuple[bytes, ...], default: str, verb: str) -> str:
        """Return the letter behind M.

        Raises:
            BadMeta: it is none of these.
        """
        token = self.flags.get(ord("M"))
        if token is None:
            return default
        if token not in known:
            raise BadMeta(b"CLIENT_ERROR invalid mode for %b M token\r\n" % verb.encode())
        return token.decode()

    def check_opaque(self) -> None:
        """Refuse an opaque that is too long.

        Raises:
            BadMeta: it is.
        """
        if len(self.flags.get(ord("O"), b"")) >= _OPAQUE_MAX:
            raise BadMeta(_BAD_OPAQUE)

    def shown(self, letter: int) -> bytes | None:
        """Return what O and k show; None for other flags."""
        if letter == ord("O"):
            return b"O" + self.flags[letter]
        if letter == ord("k"):
            return b"k" + self.word
        return None


def check(words: Words, too_long: bytes = TOO_LONG) -> None:
    """Look at the line, before its flags are read.

    Raises:
        BadMeta: it cannot be a meta command.
    """
    if len(words[1]) > KEY_BYTES_MAX:
        raise BadMeta(BAD_LINE)
    if len(words) > _WORDS_MAX:
        raise BadMeta(too_long)


def read(words: Words, first: int) -> Meta:
    """Read a meta command whose flags begin at the word `first`.

    Raises:
        BadMeta: they make no sense. Of several mistakes the last one is told, as memcached does.
    """
    key = words[1]
    meta = Meta(key, key, {}, {}, {})
    wrong = b""
    for word in words[first:]:
        letter, token = word[0], word[1:]
        if letter in meta.flags or letter >= 0x7F:
            raise BadMeta(_DUPLICATE)
        if letter not in _FLAGS:
            raise BadMeta(_UNKNOWN)
        meta.flags[letter] = token
        wrong = _read_token(meta, letter, token, wrong) or wrong
    if wrong:
        raise BadMeta(wrong)
    return meta


def _read_token(meta: Meta, letter: int, token: bytes, wrong: bytes) -> bytes:
    """Read what stands behind a flag; return what is wrong with it, "" if nothing is."""
    if letter in _TIMES:
        time = signed32(token)
        if time is None:
            return _BAD_TOKEN
        meta.times[letter] = time
    elif letter in _NUMBERS or letter == ord("F"):
        number = unsigned(token)
        if number is None:
            return _NUMBERS.get(letter, wrong or BAD_LINE)
        meta.numbers[letter] = number
    elif letter == ord("M"):
        return b"" if len(token) == 1 else _BAD_MODE
    elif letter == ord("b"):
        meta.key = decoded(meta.key)
        if not meta.key:
            return _BAD_KEY
        meta.word = b64encode(meta.key) + b" b"
    return b""


def decoded(word: bytes) -> bytes:
    """Return the key that this is the base64 of; b"" if it is none, for no client may name the empty key."""
    try:
        key = b64decode(word, validate=True)
    except ValueError:
        return b""
    return key if len(word) == (len(key) + 2) // 3 * 4 else b""  # there may be more padding than is needed


def read_strictly(words: Words) -> Meta:
    """Read as `read` does, for the commands to which memcached says one thing of all mistakes.

    Raises:
        BadMeta: they make no sense.
    """
    try:
        return read(words, 2)
    except BadMeta:
        raise BadMeta(_INVALID) from None
