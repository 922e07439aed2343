"""Packets of memcached's binary protocol: header, opcodes, statuses (its doc/protocol-binary.txt).

A packet is a header of 24 bytes and a body of extras, key and value, whose lengths the header tells:

    magic | opcode | key length:2 | extras length | data type | status:2 | body length:4 | opaque:4 | cas:8
"""

from __future__ import annotations

import struct
from typing import Final

from memrep.engine.operations import EXISTS, NO_MEMORY, NOT_A_NUMBER, NOT_FOUND, NOT_STORED, TOO_LARGE, Outcome

REQUEST: Final = 0x80
RESPONSE: Final = 0x81

HEADER: Final = struct.Struct(">BBHBBHIIQ")
HEADER_BYTES: Final = HEADER.size

GET: Final = 0x00
SET: Final = 0x01
ADD: Final = 0x02
REPLACE: Final = 0x03
DELETE: Final = 0x04
INCR: Final = 0x05
DECR: Final = 0x06
QUIT: Final = 0x07
FLUSH: Final = 0x08
NOOP: Final = 0x0A
VERSION: Final = 0x0B
GETK: Final = 0x0C
APPEND: Final = 0x0E
PREPEND: Final = 0x0F
STAT: Final = 0x10
TOUCH: Final = 0x1C
GAT: Final = 0x1D
GATK: Final = 0x23
SASL_LIST: Final = 0x20
SASL_AUTH: Final = 0x21
SASL_STEP: Final = 0x22

#: Opcodes that answer only what one would not expect, and what they do.
QUIET: Final = {
    0x09: GET, 0x0D: GETK, 0x11: SET, 0x12: ADD, 0x13: REPLACE, 0x14: DELETE, 0x15: INCR, 0x16: DECR,
    0x17: QUIT, 0x18: FLUSH, 0x19: APPEND, 0x1A: PREPEND, 0x1E: GAT, 0x24: GATK,
}  # fmt: skip

OK: Final = 0x00
AUTH_ERROR: Final = 0x20
AUTH_CONTINUE: Final = 0x21
UNKNOWN: Final = 0x81
INVALID: Final = 0x04

#: The status of each outcome that is no success.
STATUS: Final[dict[Outcome, int]] = {
    NOT_FOUND: 0x01,
    EXISTS: 0x02,
    TOO_LARGE: 0x03,
    NOT_STORED: 0x05,
    NOT_A_NUMBER: 0x06,
    NO_MEMORY: 0x82,
}

#: What memcached says beside each status.
TEXTS: Final[dict[int, bytes]] = {
    0x01: b"Not found",
    0x02: b"Data exists for key.",
    0x03: b"Too large.",
    0x04: b"Invalid arguments",
    0x05: b"Not stored.",
    0x06: b"Non-numeric server-side value for incr or decr",
    0x20: b"Auth failure.",
    0x81: b"Unknown command",
    0x82: b"Out of memory",
}

#: An exptime that forbids an incr to store an initial value.
NO_INITIAL: Final = 0xFFFFFFFF


def response(
    opcode: int,
    opaque: int,
    *,
    status: int = OK,
    extras: bytes = b"",
    key: bytes = b"",
    value: bytes = b"",
    cas: int = 0,
) -> bytes:
    """Make a response packet."""
    size = len(extras) + len(key) + len(value)
    header = HEADER.pack(RESPONSE, opcode, len(key), len(extras), 0, status, size, opaque, cas)
    return b"".join((header, extras, key, value))


def error(opcode: int, opaque: int, status: int) -> bytes:
    """Make a response packet that says what is wrong."""
    return response(opcode, opaque, status=status, value=TEXTS[status])
