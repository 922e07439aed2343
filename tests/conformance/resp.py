r"""Redis' protocol, as a transcript writes it down.

    >r SET a x          a request: an array of bulk strings, one for each word
    <$ text             a bulk string that is this text
    <$: text            a bulk string of which one line is this text
    <= text             RESP3: a verbatim string, `txt:` and this text
    <=: text            RESP3: a verbatim string of which one line is this text
    <r a b c            an array of bulk strings, one for each word
    <r* a b c           an array of these bulk strings in any order

Words have blanks between them: a blank within a word is written `\x20`, and an empty word `{}`. A word or a
text may hold what any text may, `$name` and `{N..M}` too, since lengths are counted when the rest is known.
`{any}` as the whole of a bulk or verbatim string is any text at all, with any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from tests.conformance.placeholders import (
    AnyText,
    BadTranscript,
    Known,
    Part,
    Template,
    Verdict,
    compare,
    joined,
    length,
    parse_text,
    spell,
)

_EMPTY: Final = "{}"

_HEAD: Final = re.compile(rb"(\d{1,10})\r\n")
_BEGUN_HEAD: Final = re.compile(rb"\d{0,10}\r?\Z")


def request(text: str) -> Template:
    """What a client sends of these words.

    Raises:
        BadTranscript: where there is none.
    """
    return _array([_bulk(word) for word in _words(text)])


def bulk(text: str) -> Template:
    """A bulk string."""
    return _bulk(parse_text(text))


def bulk_with_line(text: str) -> Template:
    """A bulk string that has this line among others."""
    return (Bulk(b"$", b"", parse_text(text), one_line=True),)


def verbatim(text: str) -> Template:
    """A verbatim string."""
    return (Bulk(b"=", b"txt:", parse_text(text)),)


def verbatim_with_line(text: str) -> Template:
    """A verbatim string that has this line among others."""
    return (Bulk(b"=", b"txt:", parse_text(text), one_line=True),)


def array(text: str) -> Template:
    """An array of bulk strings."""
    return request(text)


def array_in_any_order(text: str) -> Template:
    """An array of bulk strings, of which the order is the server's affair."""
    return (Jumbled(tuple(spell(_bulk(word), Known(0)) for word in _plain_words(text))),)


def flattened(template: Template) -> Iterator[bytes | Part]:
    """Its parts, and in place of a string of unknown length that string's."""
    for part in template:
        if isinstance(part, Bulk):
            yield from flattened(part.inner)
        else:
            yield part


@attrs.frozen
class Bulk:
    """A string that comes after its length.

    Attributes:
        sigil: the byte before the length.
        prefix: what stands before the text, and counts.
        inner: the text.
        one_line: whether the text is but one of its lines.
    """

    sigil: bytes
    prefix: bytes
    inner: Template
    one_line: bool = False

    @property
    def size(self) -> int | None:
        """See `Part`."""
        return length(self.inner) + 5

    def spell(self, known: Known) -> bytes | None:
        """See `Part`."""
        parts = [part if isinstance(part, bytes) else part.spell(known) for part in self.inner]
        texts = [part for part in parts if part is not None]
        if self.one_line or len(texts) < len(parts):
            return None
        text = self.prefix + b"".join(texts)
        return self.sigil + b"%d\r\n" % len(text) + text + b"\r\n"

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """See `Part`."""
        if position == len(actual):
            return Verdict.PARTIAL
        if not actual.startswith(self.sigil, position):
            return Verdict.WRONG
        head = _HEAD.match(actual, position + 1)
        if head is None:
            return Verdict.PARTIAL if _BEGUN_HEAD.match(actual, position + 1) else Verdict.WRONG
        end = head.end() + int(head[1])
        if len(actual) < end + 2:
            return Verdict.PARTIAL
        text = actual[head.end() : end]
        if actual[end : end + 2] != b"\r\n" or not text.startswith(self.prefix):
            return Verdict.WRONG
        return end + 2 if self._is_in(text[len(self.prefix) :], known) else Verdict.WRONG

    def _is_in(self, text: bytes, known: Known) -> bool:
        if self.inner == (AnyText(),):
            return True
        for line in re.split(rb"\r?\n", text) if self.one_line else [text]:
            verdict, learnt = compare(self.inner, known, line)
            # A number at the very end could go on, as far as `compare` can see; here it cannot.
            if verdict is Verdict.PARTIAL:
                verdict, learnt = compare((*self.inner, b"\n"), known, line + b"\n")
            if verdict is Verdict.COMPLETE:
                known.numbers.update(learnt.numbers)
                return True
        return False


@attrs.frozen
class Jumbled:
    """An array of texts in any order."""

    items: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """See `Part`."""
        return len(self._head) + sum(map(len, self.items))

    @property
    def _head(self) -> bytes:
        return b"*%d\r\n" % len(self.items)

    def spell(self, known: Known) -> None:
        """See `Part`."""

    def match(self, known: Known, actual: bytes, position: int) -> int | Verdict:
        """See `Part`."""
        end = position + self.size
        got = actual[position:end]
        if len(got) < self.size:
            begun = got.startswith(self._head) or self._head.startswith(got)
            return Verdict.PARTIAL if begun else Verdict.WRONG
        if not got.startswith(self._head):
            return Verdict.WRONG
        rest, left = got[len(self._head) :], list(self.items)
        while rest:
            item = next((each for each in left if rest.startswith(each)), None)
            if item is None:
                return Verdict.WRONG
            left.remove(item)
            rest = rest[len(item) :]
        return end


def _words(text: str) -> list[Template]:
    words = [() if word == _EMPTY else parse_text(word) for word in text.split(" ")] if text else []
    if () in [word for word, given in zip(words, text.split(" "), strict=False) if given != _EMPTY]:
        raise BadTranscript("two blanks between words")
    return words


def _plain_words(text: str) -> list[Template]:
    words = _words(text)
    if any(not isinstance(part, bytes) for word in words for part in word):
        raise BadTranscript("in any order, only plain words can be told apart")
    return words


def _bulk(word: Template) -> Template:
    if all(isinstance(part, bytes) for part in word):
        text = spell(word, Known(0))
        return (b"$%d\r\n%s\r\n" % (len(text), text),)
    return (Bulk(b"$", b"", word),)


def _array(items: list[Template]) -> Template:
    return joined((b"*%d\r\n" % len(items), *(part for item in items for part in item)))
