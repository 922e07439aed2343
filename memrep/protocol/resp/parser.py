r"""Commands out of the bytes of a Redis client: arrays of bulk strings, or lines that people type.

A command is `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`: how many arguments, then each with its length, so that it may
hold any bytes. What does not begin with `*` is a line of words.

Bytes come in any pieces. The connection keeps what is unfinished and shows it again from its first byte on; the
parser remembers the arguments that it has read already, so that a command of many arguments which trickles in
is read once and not once for each piece. A length is believed only as far as memory goes: an argument that is
too large is passed over as it comes, and the command refused when it is whole.

Limits and texts of the errors are those of redis-server 7.0 (networking.c), which closes the connection at each
of them, for nobody knows where the next command begins. hiredis' reader would be five times as fast, but does
not tell where a command ends, takes arrays in arrays and other types for commands, and knows no lines; what
that costs a `get` is won back by its short way (dialect.py).
"""

from __future__ import annotations

import re
from typing import Final

#: The longest line, be it a typed command or a length, bytes.
LINE_MAX: Final = 1 << 16

#: The longest argument that Redis' protocol knows, bytes.
BULK_MAX: Final = 512 << 20

#: The most arguments of one command. Redis takes 2^31; to have read so many would stop the node.
ARGUMENTS_MAX: Final = 100_000

#: Who has not said its password yet may say so many arguments, each so long.
STRANGERS_ARGUMENTS_MAX: Final = 10
STRANGERS_BULK_MAX: Final = 16_384

_DOLLAR: Final = 0x24

#: The numbers that nearly all lengths are, by their one spelling.
SMALL: Final = {b"%d" % number: number for number in range(2048)}
_NUMBER: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")

#: In the place of an argument that was too large.
PASSED_OVER: Final = b"(passed over)"


class ProtocolError(Exception):
    """What came is no command; the argument is how Redis says so, behind `-ERR Protocol error: `."""


class Parser:
    """Reads the commands of one connection.

    Args:
        bulk_max: a longer argument is passed over, bytes.

    Attributes:
        end: behind the command that was read last, or where the unfinished one is to be shown from.
        left: how many arguments of the unfinished command are still to come; 0 between commands.
        need: how many bytes the unfinished command has at least.
        passed_over: whether an argument of the last command was too large; it is PASSED_OVER then.
        stranger: whether the client has not said its password yet.
    """

    __slots__ = ("_arguments", "_at", "_bulk_max", "_skip", "end", "left", "need", "passed_over", "stranger")

    def __init__(self, bulk_max: int) -> None:
        self.end = 0
        self.need = 0
        self.passed_over = False
        self.stranger = False
        self._bulk_max = bulk_max
        self._arguments: list[bytes] = []
        self.left = 0
        self._at = 0  # how far behind its beginning the unfinished command has been read
        self._skip = 0  # bytes of a large argument that are still to be passed over

    def read(self, data: bytes, start: int) -> list[bytes] | None:
        """Read the command that begins at `start`.

        Returns:
            Its words; none of them for an empty command. None if it is not whole yet; then `end` is where
            what is still needed begins.

        Raises:
            ProtocolError: it is none.
        """
        if self.left:
            return self._go_on(data, start)
        self.passed_over = False
        if data[start] != 0x2A:
            return self._read_line(data, start)
        end = data.find(b"\r", start)
        if end < 0 or end + 2 > len(data):
            self._wait_for_line(data, start, end, "too big mbulk count string")
            return None
        count = SMALL.get(data[start + 1 : end])
        if count is None:
            count = _number(data[start + 1 : end], ARGUMENTS_MAX, "invalid multibulk length")
        if count > STRANGERS_ARGUMENTS_MAX and self.stranger:
            raise ProtocolError("unauthenticated multibulk length")
        if count <= 0:
            self.end = end + 2
            return []
        return self._read_arguments(data, start, end + 2, count, [])

    def _go_on(self, data: bytes, start: int) -> list[bytes] | None:
        """Go on with the arguments, from where they were left."""
        at, arguments, left = start + self._at, self._arguments, self.left
        if self._skip:
            passed = min(self._skip, len(data) - at)
            self._skip -= passed
            start = at = at + passed  # what is passed over need not be kept
            if self._skip:
                self._wait(start, at, 1)
                return None
            arguments.append(PASSED_OVER)
            left -= 1
        self.left = 0
        return self._read_arguments(data, start, at, left, arguments)

    def _read_arguments(
        self, data: bytes, start: int, at: int, left: int, arguments: list[bytes]
    ) -> list[bytes] | None:
        """Read what is left of the arguments, from `at` on; those before it have been read."""
        size, find = len(data), data.find
        while left:
            end = find(b"\r", at)
            length = SMALL.get(data[at + 1 : end]) if end > 0 and data[at] == _DOLLAR else None
            if length is None:
                length = self._length(data, at, end)
            begin = end + 2
            after = begin + length
            if not 0 <= length <= self._bulk_max or after + 2 > size:
                self.left, self._arguments = left, arguments
                return self._cut_short(data, start, at, end, length)
            arguments.append(data[begin:after])
            at = after + 2  # the two bytes in between are not looked at
            left -= 1
        self.end = at
        return arguments

    def _length(self, data: bytes, at: int, end: int) -> int:
        """Return the length that stands at `at`, if its line ends at `end`; -1 if that has not come yet.

        Raises:
            ProtocolError: it is none.
        """
        if at < len(data) and data[at] != _DOLLAR:
            if end < 0 and len(data) - at <= LINE_MAX:
                return -1
            raise ProtocolError(f"expected '$', got '{chr(data[at])}'")
        if end < 0 or end + 2 > len(data):
            if end < 0 and len(data) - at > LINE_MAX:
                raise ProtocolError("too big bulk count string")
            return -1
        length = _number(data[at + 1 : end], BULK_MAX, "invalid bulk length")
        if length < 0:
            raise ProtocolError("invalid bulk length")
        if length > STRANGERS_BULK_MAX and self.stranger:
            raise ProtocolError("unauthenticated bulk length")
        return length

    def _cut_short(self, data: bytes, start: int, at: int, end: int, length: int) -> list[bytes] | None:
        """Wait for what is missing of an argument that begins at `at`, or begin to pass over it."""
        if length <= self._bulk_max:
            self._wait(start, at, len(data) + 1 - start if length < 0 else end + 2 + length + 2 - start)
            return None
        self.passed_over = True
        self._skip = length + 2
        self._at = end + 2 - start
        return self._go_on(data, start)

    def _wait(self, start: int, at: int, need: int) -> None:
        """Remember how far this command has been read; it is to be shown from `start` with `need` bytes."""
        self.end = start
        self._at = at - start
        self.need = need

    def _wait_for_line(self, data: bytes, start: int, end: int, error: str) -> None:
        if end < 0 and len(data) - start > LINE_MAX:
            raise ProtocolError(error)
        self.end = start
        self.need = 0

    def _read_line(self, data: bytes, start: int) -> list[bytes] | None:
        end = data.find(b"\n", start)
        if end < 0:
            self._wait_for_line(data, start, end, "too big inline request")
            return None
        self.need = 0
        self.end = end + 1
        return words_of(data[start:end].removesuffix(b"\r"))


def _number(digits: bytes, most: int, error: str) -> int:
    """Read a length in its one spelling."""
    if not _NUMBER.fullmatch(digits):
        raise ProtocolError(error)
    number = int(digits)
    if number > most:
        raise ProtocolError(error)
    return number


_ESCAPES: Final = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}
_HEX: Final = re.compile(rb"x([0-9a-fA-F]{2})")
_QUOTE: Final = re.compile(rb"[\"']")
_BLANKS: Final = b" \t\n\v\f\r"
_UNBALANCED: Final = "unbalanced quotes in request"


def words_of(line: bytes) -> list[bytes]:
    r"""Split a line as people type it: "a\x00b" and 'it\'s' are one word each (sds.c, sdssplitargs).

    Raises:
        ProtocolError: a quote is not closed, or something stands right behind it.
    """
    line = line.partition(b"\0")[0]
    if not _QUOTE.search(line):
        return line.split()
    words: list[bytes] = []
    at, size = 0, len(line)
    while True:
        while at < size and line[at] in _BLANKS:
            at += 1
        if at == size:
            return words
        word = bytearray()
        while at < size and line[at] not in _BLANKS:
            if line[at] in b"\"'":
                at = _quoted(line, at, word)
                break
            word.append(line[at])
            at += 1
        words.append(bytes(word))


def _quoted(line: bytes, at: int, word: bytearray) -> int:
    """Add to a word what stands in quotes from here; return what is behind them."""
    quote, size = line[at], len(line)
    at += 1
    while at < size:
        byte = line[at]
        if byte == quote:
            if at + 1 < size and line[at + 1] not in _BLANKS:
                break
            return at + 1
        if byte == 0x5C and at + 1 < size:
            escaped = line[at + 1]
            digits = _HEX.match(line, at + 1)
            if quote == 0x22 and digits:
                byte, at = int(digits[1], 16), at + 3
            elif quote == 0x22:
                byte, at = _ESCAPES.get(escaped, escaped), at + 1
            elif escaped == quote:
                byte, at = escaped, at + 1
        word.append(byte)
        at += 1
    raise ProtocolError(_UNBALANCED)
