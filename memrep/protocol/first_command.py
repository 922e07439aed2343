"""The first command of a piece of input, for people: what it does and with which key, by its first bytes.

It is asked for afterwards, when a command has turned out to be slow: of the others nothing is kept but these
bytes, as long as they wait. A piece may begin in the midst of a value, so nothing is shown but what is a
command's name.
"""

from __future__ import annotations

import re
from typing import Final

from memrep.protocol.memcached.binary.packet import HEADER, HEADER_BYTES, QUIET, REQUEST

#: As much of a piece is looked at: a name and a key of 250 bytes have room.
HEAD_BYTES: Final = 320

_TEXT: Final = re.compile(
    rb"(gets?|gats?(?= -?\d)|set|add|replace|append|prepend|cas|incr|decr|delete|touch|m[gsda]|flush_all)"
    rb"(?:(?<=gat) -?\d+|(?<=gats) -?\d+)?(?: ([^ \r\n]{1,250}))?(?=[ \r\n]|$)"
)
_RESP: Final = re.compile(rb"\*\d{1,7}\r\n\$\d{1,2}\r\n([A-Za-z]{2,16})\r\n(?:\$\d{1,3}\r\n([^\r\n]{0,250}))?")

_OPCODES: Final = {
    0x00: "get", 0x01: "set", 0x02: "add", 0x03: "replace", 0x04: "delete", 0x05: "incr", 0x06: "decr",
    0x08: "flush_all", 0x0C: "getk", 0x0E: "append", 0x0F: "prepend", 0x1C: "touch", 0x1D: "gat",
}  # fmt: skip


def first_command(head: bytes) -> tuple[str, bytes]:
    """Return the name and the key of the first command in some input; "" and b"" if that cannot be told."""
    if head[:1] == bytes([REQUEST]) and len(head) >= HEADER_BYTES:
        _, opcode, keys, extras, *_ = HEADER.unpack_from(head, 0)
        name = _OPCODES.get(QUIET.get(opcode, opcode), "")
        start = HEADER_BYTES + extras
        return name, head[start : start + keys] if name else b""
    found = _RESP.match(head) or _TEXT.match(head)
    return (found[1].decode().lower(), found[2] or b"") if found else ("", b"")
