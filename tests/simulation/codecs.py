"""The protocols that simulated clients speak: a command spelled in each, and each reply put into classic words.

So the meaning of a reply (tests/simulation/semantics.py) is told once, whatever was spoken. A tongue also has
its own ways to say a thing: to the binary protocol a compare-and-swap is a store with a condition, and it may
ask quietly and send a noop behind, whose reply then tells that all went well; so may the meta commands.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

#: The verbs that bring a value.
STORING: Final = frozenset(["set", "add", "replace", "append", "prepend", "cas"])

#: What stands in the place of a reply that means nothing here.
NONSENSE: Final = b"nonsense\r\n"


class Tongue(Protocol):
    """One way to speak."""

    def spell(self, verb: str, key: bytes, value: bytes, unique: int, quiet: bool) -> bytes:
        """A command; `unique` is a condition of any verb but get, 0 for none, `quiet` a wish."""
        ...

    def told(self, verb: str, reply: bytes) -> bytes | None:
        """The reply in the words of the classic protocol, with gets' cas unique; None if it is not complete."""
        ...


class Text:
    """The classic text protocol."""

    def spell(self, verb: str, key: bytes, value: bytes, unique: int, quiet: bool) -> bytes:
        """See `Tongue`. Only `cas` has a condition here, and there is nothing quiet that tells of failure."""
        if verb in STORING:
            condition = b" %d" % unique if verb == "cas" else b""
            return b"%b %b 0 0 %d%b\r\n%b\r\n" % (verb.encode(), key, len(value), condition, value)
        extra = {"incr": b" 1", "touch": b" 0"}.get(verb, b"")
        return verb.encode() + b" " + key + extra + b"\r\n"

    def told(self, verb: str, reply: bytes) -> bytes | None:
        """See `Tongue`."""
        ends = b"END\r\n" if reply.startswith(b"VALUE") else b"\r\n"
        return reply if reply.endswith(ends) else None


class Meta:
    """The meta commands."""

    _MODES: Final = {"add": b" ME", "replace": b" MR", "append": b" MA", "prepend": b" MP"}
    _SAME: Final = {
        "set": {b"HD": b"STORED", b"EX": b"EXISTS", b"NF": b"NOT_FOUND"},
        "add": {b"HD": b"STORED", b"NS": b"NOT_STORED"},
        "cas": {b"HD": b"STORED", b"EX": b"EXISTS", b"NF": b"NOT_FOUND"},
        "delete": {b"HD": b"DELETED", b"EX": b"EXISTS", b"NF": b"NOT_FOUND"},
        "touch": {b"HD": b"TOUCHED", b"EN": b"NOT_FOUND"},
        "incr": {b"NF": b"NOT_FOUND", b"EX": b"EXISTS"},
        "extend": {b"HD": b"STORED", b"NS": b"NOT_STORED", b"EX": b"EXISTS"},
    }  # fmt: skip

    def spell(self, verb: str, key: bytes, value: bytes, unique: int, quiet: bool) -> bytes:
        """See `Tongue`."""
        flags = b" C%d" % unique if unique else b""
        behind = b""
        if quiet and verb in (*STORING, "delete"):
            flags, behind = flags + b" q", b"mn\r\n"
        if verb in STORING:
            flags += self._MODES.get(verb, b"")
            return b"ms %b %d%b\r\n%b\r\n" % (key, len(value), flags, value) + behind
        words = {
            "get": b"mg %b v", "gets": b"mg %b v c", "touch": b"mg %b T0", "incr": b"ma %b v",
            "delete": b"md %b",
        }[verb]  # fmt: skip
        return words % key + flags + b"\r\n" + behind

    def told(self, verb: str, reply: bytes) -> bytes | None:
        """See `Tongue`."""
        first, end, rest = reply.partition(b"\r\n")
        if not end:
            return None
        code, *words = first.split(b" ")
        same = (
            self._SAME[{"append": "extend", "prepend": "extend", "replace": "add"}.get(verb, verb)]
            if (verb not in ("get", "gets"))
            else {}
        )
        if code == b"MN":
            return b"DELETED\r\n" if verb == "delete" else b"STORED\r\n"
        if code == b"VA":
            if not rest.endswith(b"\r\n"):
                return None
            unique = b"".join(b" " + word[1:] for word in words[1:])
            return rest if verb == "incr" else b"VALUE k 0 %b%b\r\n%bEND\r\n" % (words[0], unique, rest)
        if code == b"EN" and verb in ("get", "gets"):
            return b"END\r\n"
        if code == b"CLIENT_ERROR":
            return reply
        return same.get(code, NONSENSE.strip()) + b"\r\n"


class Binary:
    """The binary protocol."""

    _HEADER: Final = struct.Struct(">BBHBBHIIQ")
    _NOOP: Final = 0x0A
    _OPCODES: Final = {
        "get": 0x00, "gets": 0x0C, "set": 0x01, "cas": 0x01, "add": 0x02, "replace": 0x03, "delete": 0x04,
        "incr": 0x05, "append": 0x0E, "prepend": 0x0F, "touch": 0x1C,
    }  # fmt: skip
    _QUIET: Final = {
        "get": 0x09, "gets": 0x0D, "set": 0x11, "cas": 0x11, "add": 0x12, "replace": 0x13, "delete": 0x14,
        "append": 0x19, "prepend": 0x1A,
    }  # fmt: skip
    _EXTRAS: Final = {
        **dict.fromkeys(("set", "cas", "add", "replace"), bytes(8)),
        "incr": bytes(7) + b"\1" + bytes(8) + b"\xff" * 4,
        "touch": bytes(4),
    }
    _FAILURES: Final[dict[str, dict[int, bytes]]] = {
        "get": {1: b"END"},
        "gets": {1: b"END"},
        "set": {},
        "cas": {1: b"NOT_FOUND", 2: b"EXISTS"},
        "add": {2: b"NOT_STORED"},
        "replace": {1: b"NOT_STORED"},
        "append": {5: b"NOT_STORED", 2: b"EXISTS"},
        "prepend": {5: b"NOT_STORED", 2: b"EXISTS"},
        "delete": {1: b"NOT_FOUND", 2: b"EXISTS"},
        "incr": {1: b"NOT_FOUND", 2: b"EXISTS", 6: b"CLIENT_ERROR no number"},
        "touch": {1: b"NOT_FOUND"},
    }

    def spell(self, verb: str, key: bytes, value: bytes, unique: int, quiet: bool) -> bytes:
        """See `Tongue`."""
        quiet = quiet and verb in self._QUIET
        body = self._EXTRAS.get(verb, b"") + key + (value if verb in STORING else b"")
        opcode = (self._QUIET if quiet else self._OPCODES)[verb]
        extras = len(self._EXTRAS.get(verb, b""))
        header = self._HEADER.pack(0x80, opcode, len(key), extras, 0, 0, len(body), 7, unique)
        noop = self._HEADER.pack(0x80, self._NOOP, 0, 0, 0, 0, 0, 8, 0) if quiet else b""
        return header + body + noop

    def told(self, verb: str, reply: bytes) -> bytes | None:
        """See `Tongue`."""
        if len(reply) < self._HEADER.size:
            return None
        _, opcode, key, extras, _, status, size, opaque, unique = self._HEADER.unpack_from(reply)
        end = self._HEADER.size + size
        if len(reply) < end:
            return None
        if opcode == self._NOOP:
            return {"delete": b"DELETED\r\n", "get": b"END\r\n", "gets": b"END\r\n"}.get(verb, b"STORED\r\n")
        if opaque != 7:
            return NONSENSE
        if opcode != self._OPCODES[verb] and len(reply) < end + self._HEADER.size:
            return None  # the noop's reply is still to come
        value = reply[self._HEADER.size + extras + key : end]
        if status:
            return self._FAILURES[verb].get(status, NONSENSE.strip()) + b"\r\n"
        if verb in ("get", "gets"):
            shown = b" %d" % unique if verb == "gets" else b""
            return b"VALUE k 0 %d%b\r\n%b\r\nEND\r\n" % (len(value), shown, value)
        if verb == "incr":
            return b"%d\r\n" % int.from_bytes(value, "big")
        return {"delete": b"DELETED\r\n", "touch": b"TOUCHED\r\n"}.get(verb, b"STORED\r\n")


TEXT: Final = Text()

#: What clients speak, by how often.
TONGUES: Final[tuple[Tongue, ...]] = (TEXT, TEXT, Meta(), Binary(), Binary())
