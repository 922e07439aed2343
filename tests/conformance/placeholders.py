r"""What stands in the lines of a transcript: bytes, and places whose bytes only the replay knows.

A `Template` is a run of parts. Its bytes can be spelled once every number in it is known, and a reply can be
compared with it, which is how numbers become known. A reply that comes in pieces is compared again with each
of them, so that a comparison has three verdicts.

A text becomes a template by `parse_text`; what it may hold is told in transcript.py.
"""

from __future__ import annotations

import enum
import re
from typing import Final, Protocol

import attrs


class BadTranscript(ValueError):
    """A transcript that does not follow the rules."""


class Verdict(enum.Enum):
    """How a reply compares with what is expected."""

    COMPLETE = "it is what is expected"
    PARTIAL = "more is expected"
    WRONG = "it is something else"


@attrs.define
class Known:
    """What the replay knows of the world.

    Attributes:
        began: the unix time of the replay's beginning.
        numbers: the numbers that the server has told so far.
    """

    began: int
    numbers: dict[str, int] = attrs.field(factory=dict)


# --- Parts --------------------------------------------------------------------------------------------------


class Part(Protocol):
    """A place in a template.

    Attributes:
        size: the number of its bytes; None if that is not told beforehand.
    """

    @property
    def size(self) -> int | None: ...

    def spell(self, known: Known) -> bytes | None:
        """The bytes that stand here, or None if nobody knows yet."""

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """Where the bytes end that stand here, or that they are none. What they tell becomes known."""


@attrs.frozen
class Number:
    """A number that the server chooses, never 0.

    Attributes:
        name: its name; "" for one that nobody needs to know again.
        size: the number of its bytes; None if it is decimal.
    """

    name: str
    size: int | None = None

    def spell(self, known: Known) -> bytes | None:
        """See `Part`."""
        value = known.numbers.get(self.name)
        return None if value is None else _spelled(value, self.size)

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """See `Part`. Two names never stand for the same number."""
        if self.size is not None:
            end = position + self.size
            if end > len(actual):
                return Verdict.PARTIAL
            value = int.from_bytes(actual[position:end], "big")
        else:
            digits = _DIGITS.match(actual, position)
            end = digits.end() if digits else position
            if end == len(actual):
                return Verdict.PARTIAL
            value = int(actual[position:end] or 0)
        if not value or (self.name and value in known.numbers.values()):
            return Verdict.WRONG
        if self.name:
            known.numbers[self.name] = value
        return end


@attrs.frozen
class UnixTime:
    """The unix time that many seconds after the replay's beginning."""

    offset: int
    size: int | None = None

    def spell(self, known: Known) -> bytes:
        """See `Part`."""
        return _spelled(known.began + self.offset, self.size)

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """See `Part`."""
        return match_bytes(self.spell(known), actual, position)


@attrs.frozen
class AnyText:
    """Whatever the server says up to the line's end; or up to the next blank, if it is one word only."""

    one_word: bool = False
    size: None = None

    def spell(self, known: Known) -> None:
        """See `Part`."""

    def match(self, known: Known, actual: bytes, position: int) -> int:
        """See `Part`."""
        rest = (_REST_OF_WORD if self.one_word else _REST_OF_LINE).match(actual, position)
        return rest.end() if rest else position


@attrs.frozen
class Within:
    """A decimal number that the server chooses from a range, both ends of which are allowed."""

    least: int
    most: int
    size: None = None

    def spell(self, known: Known) -> None:
        """See `Part`."""

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """See `Part`."""
        digits = _DIGITS.match(actual, position)
        end = digits.end() if digits else position
        if end == len(actual):
            return Verdict.PARTIAL
        within = end > position and self.least <= int(actual[position:end]) <= self.most
        return end if within else Verdict.WRONG


Template = tuple[bytes | Part, ...]

_DIGITS: Final = re.compile(rb"\d{0,20}")
_REST_OF_LINE: Final = re.compile(rb"[^\r\n]*")
_REST_OF_WORD: Final = re.compile(rb"[^\r\n ]*")


def _spelled(value: int, size: int | None) -> bytes:
    return b"%d" % value if size is None else value.to_bytes(size, "big")


# --- Templates ----------------------------------------------------------------------------------------------


def spell(template: Template, known: Known) -> bytes:
    """The bytes of a template; `?` stands for each that is not known."""
    return b"".join(part if isinstance(part, bytes) else _spelled_part(part, known) for part in template)


def _spelled_part(part: Part, known: Known) -> bytes:
    text = part.spell(known)
    return b"?" * (part.size or 1) if text is None else text


def compare(expected: Template, known: Known, actual: bytes) -> tuple[Verdict, Known]:
    """How a reply compares, and what is known if it is complete."""
    learnt = Known(known.began, dict(known.numbers))
    position = 0
    for part in expected:
        text = part if isinstance(part, bytes) else part.spell(learnt)
        if text is not None:
            found = match_bytes(text, actual, position)
        else:
            assert not isinstance(part, bytes)
            found = part.match(learnt, actual, position)
        if isinstance(found, Verdict):
            return found, known
        position = found
    return (Verdict.COMPLETE if position == len(actual) else Verdict.WRONG), learnt


def match_bytes(text: bytes, actual: bytes, position: int) -> int | Verdict:
    """Where a text ends that stands at a position, or that it does not stand there."""
    end = position + len(text)
    piece = actual[position:end]
    if piece == text:
        return end
    return Verdict.PARTIAL if end > len(actual) and text.startswith(piece) else Verdict.WRONG


def length(template: Template) -> int:
    """The number of its bytes; a place that may have any number of bytes counts as one."""
    return sum(len(part) if isinstance(part, bytes) else part.size or 1 for part in template)


def joined(template: Template) -> Template:
    """The same template with its neighbouring texts made one, as both feeding and comparing are then quick."""
    parts: list[bytes | Part] = []
    texts: list[bytes] = []
    for part in (*template, None):
        if isinstance(part, bytes):
            texts.append(part)
            continue
        if texts:
            parts.append(b"".join(texts))
            texts = []
        if part is not None:
            parts.append(part)
    return tuple(parts)


# --- Reading ------------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(
    r"\\x(?P<hex>[0-9a-fA-F]{2})"
    r"|\\(?P<escape>[rn0\\${}*])"
    r"|\$(?P<number>[a-z][a-z0-9_]*)"
    r"|\{now(?P<offset>[+-]\d+)\}"
    r"|(?P<any>\{any\})"
    r"|(?P<word>\{word\})"
    r"|\{(?P<least>\d+)\.\.(?P<most>\d+)\}"
    r"|(?P<open>\{)"
    r"|\*(?P<times>\d+)\}"
    r"|(?P<plain>[^\\${}])"
)
_ESCAPES: Final = {"r": b"\r", "n": b"\n", "0": b"\0"}


def parse_text(text: str) -> Template:
    """What a text stands for.

    Raises:
        BadTranscript: where it breaks a rule.
    """
    levels: list[list[bytes | Part]] = [[]]
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise BadTranscript(f"cannot be read from {text[position : position + 12]!r} on")
        position = token.end()
        match token.lastgroup:
            case "hex":
                levels[-1].append(bytes.fromhex(token["hex"]))
            case "escape":
                levels[-1].append(_ESCAPES.get(token["escape"], token["escape"].encode()))
            case "number" | "offset" | "any" | "word" | "most":
                levels[-1].append(_variable(token))
            case "open":
                levels.append([])
            case "times" if len(levels) > 1:
                levels[-2].append(_repeated(levels.pop(), int(token["times"])))
            case "plain":
                levels[-1].append(token["plain"].encode())
            case _:
                raise BadTranscript("a repetition ends that has not begun")
    if len(levels) > 1:
        raise BadTranscript("a repetition has no end")
    return joined(tuple(levels[0]))


def _variable(token: re.Match[str]) -> Part:
    match token.lastgroup:
        case "number":
            return Number(token["number"])
        case "offset":
            return UnixTime(int(token["offset"]))
        case "most":
            return Within(int(token["least"]), int(token["most"]))
        case _:
            return AnyText(one_word=token.lastgroup == "word")


def _repeated(parts: list[bytes | Part], times: int) -> bytes:
    texts = [part for part in parts if isinstance(part, bytes)]
    if len(texts) < len(parts):
        raise BadTranscript("only plain text can be repeated")
    return b"".join(texts) * times
