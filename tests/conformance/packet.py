r"""The binary protocol's packets, as a transcript writes them down.

A packet is its opcode's name and fields of the form `name=text`, in any order, with blanks between them; a
field that is not given is empty or 0. So a blank within a key or value is written `\x20`.

    set key=a flags=1 exptime=60 value=x cas=$c opaque=7        a request
    set status=exists opaque=7                                  a reply
    getk key=a flags=1 value=x cas=$c                           a reply whose status is ok

Both have key, value, opaque, cas, flags and whatever else the opcode puts into the extras. A request has
datatype and vbucket, too; and so that it can be malformed, `magic`, `keylen`, `extlen` and `bodylen`, which are
otherwise as they should be, and `extras`, which takes the place of those of the opcode. An opcode without a
name is written as a number. Numbers are decimal, 0x... or `{now+N}`; a cas may be `$name`.

In a reply, `value` may be the number that `incr` tells. With a status that is an error it is the text that
memcached has for it, unless it is given. It is `{any}` if its length is not known either. A cas may be `{any}`,
which is any but 0, and which is what a reply has that tells one, unless it is given.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import attrs

from tests.conformance.placeholders import (
    AnyText,
    BadTranscript,
    Known,
    Number,
    Template,
    UnixTime,
    Verdict,
    joined,
    length,
    match_bytes,
    parse_text,
)

HEADER_BYTES: Final = 24

REQUEST: Final = 0x80
REPLY: Final = 0x81

_NAMES: Final = (
    "get set add replace delete incr decr quit flush getq noop version getk getkq append prepend stat "
    "setq addq replaceq deleteq incrq decrq quitq flushq appendq prependq verbosity touch gat gatq"
)
OPCODES: Final = {
    **{name: opcode for opcode, name in enumerate(_NAMES.split())},
    "sasl_list": 0x20,
    "sasl_auth": 0x21,
    "sasl_step": 0x22,
    "gatk": 0x23,
    "gatkq": 0x24,
}

_HEADER: Final = struct.Struct(">BBHBBHIIQ")

#: The status of a reply, and the text that comes with it.
STATUSES: Final = {
    "ok": (0x00, ""),
    "not_found": (0x01, "Not found"),
    "exists": (0x02, "Data exists for key."),
    "too_large": (0x03, "Too large."),
    "invalid": (0x04, "Invalid arguments"),
    "not_stored": (0x05, "Not stored."),
    "non_numeric": (0x06, "Non-numeric server-side value for incr or decr"),
    "auth_error": (0x20, "Auth failure."),
    "continue": (0x21, ""),
    "unknown": (0x81, "Unknown command"),
    "out_of_memory": (0x82, "Out of memory"),
}

#: What the opcodes have in their extras: names and sizes. The quiet ones have the same.
_STORAGE: Final = (("flags", 4), ("exptime", 4))
_ARITHMETIC: Final = (("delta", 8), ("initial", 8), ("exptime", 4))
_EXTRAS: Final = {
    **dict.fromkeys(("set", "add", "replace"), _STORAGE),
    **dict.fromkeys(("incr", "decr"), _ARITHMETIC),
    **dict.fromkeys(("touch", "gat", "gatk", "flush"), (("exptime", 4),)),
    "verbosity": (("level", 4),),
}

#: The opcodes whose reply tells the flags, and those whose reply tells the cas.
_TELL_FLAGS: Final = {"get", "getk", "gat", "gatk", "touch"}
_TELL_CAS: Final = {*_TELL_FLAGS, "set", "add", "replace", "append", "prepend", "incr", "decr"}


def request(text: str) -> Template:
    """The packet that a client sends."""
    fields = _Fields(text)
    if "extras" in fields:
        extras = fields.text("extras")
    elif fields.kind == "flush" and "exptime" not in fields:
        extras = ()
    else:
        extras = fields.numbers(_EXTRAS.get(fields.kind, ()))
    key, value = fields.text("key"), fields.text("value")
    body = (*extras, *key, *value)
    sizes = (("keylen", 2, length(key)), ("extlen", 1, length(extras)))
    template = (
        *fields.number("magic", 1, REQUEST),
        bytes([fields.opcode]),
        *fields.numbers(sizes),
        *fields.numbers((("datatype", 1), ("vbucket", 2))),
        *fields.number("bodylen", 4, length(body)),
        *fields.numbers((("opaque", 4), ("cas", 8))),
        *body,
    )
    fields.end()
    return joined(template)


def reply(text: str) -> Template:
    """The packet that a server answers."""
    fields = _Fields(text)
    status, told = fields.status()
    tells_flags = status == 0 and fields.kind in _TELL_FLAGS
    extras = fields.number("flags", 4) if tells_flags else ()
    key = fields.text("key")
    head = struct.pack(">BBHBBH", REPLY, fields.opcode, length(key), length(extras), 0, status)
    cas = "{any}" if status == 0 and fields.kind in _TELL_CAS else "0"
    tail = (*fields.number("opaque", 4), *fields.number("cas", 8, cas), *extras, *key)
    if fields.take("value={any}"):
        fields.end()
        return head, AnyLength(_plain(tail))
    counted = status == 0 and fields.kind in ("incr", "decr")
    value = fields.number("value", 8) if counted else fields.text("value", told)
    fields.end()
    return joined((head, struct.pack(">I", length(extras + key + value)), *tail, *value))


def replies(text: str) -> Template:
    """Any number of replies that differ in nothing but their keys and values."""
    fields = _Fields(text)
    (opaque,) = struct.unpack(">I", _plain(fields.number("opaque", 4)))
    fields.end()
    return (Replies(fields.opcode, opaque),)


@attrs.frozen
class AnyLength:
    """The rest of a reply, from its body's length on, if that is not known.

    Attributes:
        known: what stands between the length and the value.
    """

    known: bytes
    size: None = None

    def spell(self, known: Known) -> None:
        """See `Part`."""

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """See `Part`."""
        if len(actual) < position + 4:
            return Verdict.PARTIAL
        (body,) = struct.unpack_from(">I", actual, position)
        end = position + HEADER_BYTES - 8 + body
        found = match_bytes(self.known, actual, position + 4)
        if isinstance(found, Verdict) or found > end:
            return found if isinstance(found, Verdict) else Verdict.WRONG
        return end if end <= len(actual) else Verdict.PARTIAL


@attrs.frozen
class Replies:
    """Any number of replies of status ok to one opcode, each with a key and a value."""

    opcode: int
    opaque: int
    size: None = None

    def spell(self, known: Known) -> None:
        """See `Part`."""

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """See `Part`. Ends before the first packet that is another one, so it must not be the last part."""
        while position + HEADER_BYTES <= len(actual):
            magic, opcode, key, extras, _, status, body, opaque, cas = _HEADER.unpack_from(actual, position)
            told = (magic, opcode, extras, status, opaque, cas)
            if told != (REPLY, self.opcode, 0, 0, self.opaque, 0) or not 0 < key < body:
                break
            position += HEADER_BYTES + body
        return position if position + HEADER_BYTES <= len(actual) else Verdict.PARTIAL


class _Fields:
    """The fields of one packet; each is to be taken once."""

    def __init__(self, text: str) -> None:
        name, *fields = text.split(" ")
        self.opcode = OPCODES[name] if name in OPCODES else _integer(name, 1)
        #: The name of the opcode that is not quiet.
        self.kind = name.removesuffix("q")
        self._texts: dict[str, str] = {}
        for field in fields:
            key, equals, value = field.partition("=")
            if not equals or key in self._texts:
                raise BadTranscript(f"not a field, or one that is there already: {field!r}")
            self._texts[key] = value

    def __contains__(self, name: str) -> bool:
        return name in self._texts

    def take(self, field: str) -> bool:
        """Whether a field is there just so; it is then taken."""
        name, _, text = field.partition("=")
        found = self._texts.get(name) == text
        if found:
            del self._texts[name]
        return found

    def text(self, name: str, otherwise: str = "") -> Template:
        """A field that is text."""
        return (_plain(parse_text(self._texts.pop(name, otherwise))),)

    def number(self, name: str, size: int, otherwise: int | str = 0) -> Template:
        """A field that is a number of so many bytes."""
        text = self._texts.pop(name, str(otherwise))
        if text[:1].isdigit():
            return (_integer(text, size).to_bytes(size, "big"),)
        match parse_text(text):
            case (Number(number),):
                return (Number(number, size),)
            case (UnixTime(offset),):
                return (UnixTime(offset, size),)
            case (AnyText(),):
                return (Number("", size),)
        raise BadTranscript(f"not a number: {text!r}")

    def numbers(self, fields: Sequence[tuple[str, int] | tuple[str, int, int]]) -> Template:
        """Several of them: name, size and what it is if it is not given."""
        return tuple(part for field in fields for part in self.number(*field))

    def status(self) -> tuple[int, str]:
        """The status, and the text that comes with it."""
        name = self._texts.pop("status", "ok")
        if name not in STATUSES:
            raise BadTranscript(f"not a status: {name!r}")
        return STATUSES[name]

    def end(self) -> None:
        """All fields have been taken."""
        if self._texts:
            raise BadTranscript(f"not a field here: {', '.join(self._texts)}")


def _integer(text: str, size: int) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise BadTranscript(f"not a number: {text!r}") from None
    if value >= 1 << 8 * size:
        raise BadTranscript(f"does not fit into {size} bytes: {text!r}")
    return value


def _plain(template: Template) -> bytes:
    """The bytes of a template that is nothing else."""
    if not all(isinstance(part, bytes) for part in template):
        raise BadTranscript("only plain text can stand here")
    return b"".join(part for part in template if isinstance(part, bytes))
