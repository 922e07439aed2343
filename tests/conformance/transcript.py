r"""Conversations with a memcached or Redis server, written down as text, and their replay against any server.

Problem: what memcached or Redis answers to a wrong word, a torn line or a late expiry is told by no document,
but by memcached or Redis. Unit tests that repeat what the author believes cannot notice a wrong belief.

Idea: each file in tests/conformance/transcripts is a story of what a client sends and what memcached 1.6 or
Redis 7.0 answers: the reference. The same file is replayed against the reference itself, which proves the
expectation, and against memrep, which proves the code. Replies are compared to the byte. How the bytes are torn
on their way must not matter, so that a conversation is fed whole, byte by byte, and in two pieces cut at any
position.

A file is made of conversations with blank lines between them:

    # A comment.
    == claim of what happens here
    > text              the client sends text and CRLF
    >> text             the client sends text exactly, without a line end
    < text              the server answers text and CRLF
    <1.6.38 text        memcached from 1.6.38 on answers so instead of with the line above; memrep does not
    <valkey text        Redis' successor valkey 8 does; `<valkey$ text` and the like stand for what is no line,
                        and `<valkey` alone leaves that line out
    <closed>            the server closes the connection
    >b PACKET           the client sends a binary request; see packet.py
    <b PACKET           the server answers with such a packet
    <b* PACKET          the server answers with any number of such packets, each with a key and a value
    >r, <$, <r, ...     Redis' arrays and strings; see resp.py
    >x 80 00 ...        the client sends these bytes
    @client NAME        from here on this client speaks, on its own connection; without a name, the first one
    @wait               the client waits for the replies before it goes on
    @advance SECONDS    virtual time passes; a server whose clock cannot be moved is not asked, unless so little
                        passes that it can be waited for: see NAP_S
    @differs: reason    memrep deliberately answers otherwise than the reference; see `Conversation.differs`
    @differs before 1.6.38: reason      than earlier ones than that; so with valkey

A file may begin with `@server: KIND` for a server that is started in another way than usual; see servers.py.

In a text, `\xNN`, `\r`, `\n`, `\0`, `\\`, `\$`, `\{`, `\}` and `\*` stand for one byte each, and any other
character for its UTF-8 bytes. `{TEXT*N}` is TEXT N times over; TEXT may hold escapes and such braces again.
`{now+N}` and `{now-N}` are the unix time N seconds from when the replay began. `{any}`, in a reply, is
whatever stands there up to the line's end, `{word}` what stands there up to the next blank, and `{N..M}` a
decimal number from N to M: a second may pass while they talk. `$name` is a number, a cas unique: its first
place in a reply binds it, each later one must show the same, two names never the same one. A line must not end
in a blank, because nobody would see it: write `\x20`.

Unless told so, the client does not wait for replies: what it sends up to the end, to a `@wait` or `@advance`,
or to a `$name` that it has yet to learn, is one round, and the replies of a round are compared as one run of
bytes. Every client that is not told `<closed>` must leave the server at the beginning of a command,
since `replay` ends with a `version`, or with Redis a `PING`, to prove that nothing more came and that both
sides still agree where a command begins; so no transaction may be left open either.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import attrs

from tests.conformance import packet, resp
from tests.conformance.placeholders import (
    AnyText,
    BadTranscript,
    Known,
    Number,
    Template,
    Verdict,
    Within,
    compare,
    joined,
    length,
    parse_text,
    spell,
)
from tests.conformance.servers import LOCKED, NAP_S, is_redis

TRANSCRIPTS: Final = Path(__file__).parent / "transcripts"

#: Conversations are held with two versions of a reference; the mark of the one that came later.
LATER: Final = {"memcached": "1.6.38", "redis": "valkey"}

#: A conversation of more bytes is too long to be fed in single bytes, or to be cut at each position.
LONG: Final = 2_000

#: How many cuts are tried of a long conversation.
SAMPLED_CUTS: Final = 60

#: A unix time with as many digits as the present one, where only the number of bytes matters.
_SOME_TIME: Final = 1_000_000_000


class Mismatch(AssertionError):
    """A server that answers otherwise than the transcript."""


# --- What a transcript says ---------------------------------------------------------------------------------


@attrs.frozen
class Round:
    """What a client sends in one go, and all that it must be answered.

    Attributes:
        client: who speaks; each client has a connection of its own.
        advance: the virtual seconds that pass before it.
        sends: what the client sends.
        expects: what the server answers.
        closes: whether the server then closes the connection.
        later: what the reference answers from LATER on, if it is something else.
    """

    client: str
    advance: float
    sends: Template
    expects: Template
    closes: bool
    later: Template | None = None


@attrs.frozen
class Conversation:
    """One claim and the conversation that shows it.

    Attributes:
        title: the claim.
        source: the file's name without its suffix.
        server: how the server was started; "" is as usual.
        rounds: what is said; see the module's description.
        differs: why memrep answers this otherwise than the reference. What that answers is then none of this
            transcript's business, save that it must be something else: or else the difference is gone.
        until_later: whether that is so with references before LATER only.
    """

    title: str
    source: str
    server: str
    rounds: tuple[Round, ...]
    differs: str | None
    until_later: bool = False

    @property
    def has_changed(self) -> bool:
        """Whether the reference answers this otherwise since LATER."""
        return self.until_later or any(round_.later is not None for round_ in self.rounds)

    @property
    def of_later(self) -> Conversation:
        """The same as the reference holds it since LATER."""
        rounds = tuple(attrs.evolve(each, expects=each.later or each.expects) for each in self.rounds)
        return attrs.evolve(self, rounds=rounds, differs=None if self.until_later else self.differs)

    @property
    def moves_time(self) -> bool:
        """Whether it needs a server whose clock can be moved."""
        patience = NAP_S if is_redis(self.server) else 0.0
        return any(round_.advance > patience for round_ in self.rounds)

    @property
    def length(self) -> int:
        """The number of bytes that the clients send; a number that they have yet to learn may count as one."""
        return sum(length(round_.sends) for round_ in self.rounds)


# --- Reading ------------------------------------------------------------------------------------------------


def read_all(folder: Path = TRANSCRIPTS) -> list[Conversation]:
    """The conversations of all files of a folder."""
    return [each for path in sorted(folder.glob("*.txt")) for each in read(path.read_text("utf-8"), path.stem)]


def read(text: str, source: str) -> list[Conversation]:
    """The conversations of one file.

    Raises:
        BadTranscript: where the text breaks a rule; the message names the line.
    """
    drafts: list[_Draft] = []
    between = True
    server = ""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line != line.rstrip():
                raise BadTranscript(r"a line ends in a blank that nobody can see: write \x20")
            if line.startswith("#"):
                continue
            if not line:
                between = True
            elif line.startswith("== "):
                if not between:
                    raise BadTranscript("a blank line is missing before the conversation")
                if any(draft.title == line[3:] for draft in drafts):
                    raise BadTranscript("the title was used before")
                drafts.append(_Draft(line[3:], LATER["redis" if is_redis(server) else "memcached"]))
                between = False
            elif line.startswith("@server: ") and not drafts:
                server = line.removeprefix("@server: ")
            elif between:
                raise BadTranscript("a conversation begins with == and its claim")
            else:
                drafts[-1].add(line)
        except BadTranscript as error:
            raise BadTranscript(f"{source}.txt:{number}: {error}: {line[:80]!r}") from None
    return [draft.finish(source, server) for draft in drafts]


class _Draft:
    """A conversation of which the lines are still being read."""

    def __init__(self, title: str, later: str) -> None:
        self.title = title
        self._later_mark = f"<{later}"
        self._until_later_mark = f"before {later}: "
        self._differs: str | None = None
        self._until_later = False
        self._rounds: list[Round] = []
        self._client = ""
        self._advance = 0.0
        self._sends: Template = ()
        self._expects: Template = ()
        self._later: list[Template] = []
        self._has_changed = False
        self._closed: set[str] = set()
        self._known: set[str] = set()
        self._learnt: set[str] = set()

    def add(self, line: str) -> None:
        """Take in the next line of the file."""
        mark, _, text = line.partition(" ")
        if mark in _SENT:
            self._send(_SENT[mark](text))
        elif mark in _ANSWERED:
            self._expect(_ANSWERED[mark](text))
        elif mark.startswith(self._later_mark) and self._later:
            self._expect_later(mark.removeprefix(self._later_mark), text)
        elif line == "<closed>":
            self._closed.add(self._client)
        elif mark == "@client":
            self._end_round()
            self._client = text
        elif mark == "@advance":
            self._end_round()
            self._advance += _seconds(text)
        elif line == "@wait":
            self._end_round()
        elif mark == "@differs:" and text:
            self._differs = text
        elif mark == "@differs" and text.startswith(self._until_later_mark):
            self._differs = text.removeprefix(self._until_later_mark)
            self._until_later = True
        else:
            raise BadTranscript("no known mark")

    def finish(self, source: str, server: str) -> Conversation:
        """The conversation, now that it is complete."""
        self._end_round()
        if not self._rounds:
            raise BadTranscript(f"{source}.txt: nothing is said in {self.title!r}")
        return Conversation(self.title, source, server, tuple(self._rounds), self._differs, self._until_later)

    def _send(self, template: Template) -> None:
        for part in resp.flattened(template):
            if isinstance(part, AnyText | Within) or (isinstance(part, Number) and not part.name):
                raise BadTranscript("a client cannot send {any}, {word} or {N..M}")
            if isinstance(part, Number) and part.name not in self._known:
                if part.name not in self._learnt:
                    raise BadTranscript(f"${part.name} is sent before any reply tells it")
                self._end_round()
        self._sends += template

    def _expect(self, template: Template) -> None:
        if self._client in self._closed:
            raise BadTranscript("the server answers after it has closed")
        self._learnt |= {part.name for part in resp.flattened(template) if isinstance(part, Number)}
        self._expects += template
        self._later.append(template)

    def _expect_later(self, kind: str, text: str) -> None:
        if f"<{kind}" not in _ANSWERED:
            raise BadTranscript("no known mark")
        self._later[-1] = _ANSWERED[f"<{kind}"](text) if kind or text else ()
        self._has_changed = True

    def _end_round(self) -> None:
        closes = self._client in self._closed
        if self._sends or self._expects or closes:
            sends, expects = joined(self._sends), joined(self._expects)
            later = joined(tuple(itertools.chain.from_iterable(self._later))) if self._has_changed else None
            self._rounds.append(Round(self._client, self._advance, sends, expects, closes, later))
            self._advance = 0.0
        self._sends = self._expects = ()
        self._later, self._has_changed = [], False
        self._known |= self._learnt


def _hex(text: str) -> Template:
    try:
        return (bytes.fromhex(text),)
    except ValueError:
        raise BadTranscript("not hexadecimal bytes") from None


#: The marks of lines that are sent, and of lines that are answered.
_SENT: Final[dict[str, Callable[[str], Template]]] = {
    ">": lambda text: (*parse_text(text), b"\r\n"),
    ">>": parse_text,
    ">b": packet.request,
    ">r": resp.request,
    ">x": _hex,
}
_ANSWERED: Final[dict[str, Callable[[str], Template]]] = {
    "<": _SENT[">"],
    "<b": packet.reply,
    "<b*": packet.replies,
    "<$": resp.bulk,
    "<$:": resp.bulk_with_line,
    "<=": resp.verbatim,
    "<=:": resp.verbatim_with_line,
    "<r": resp.array,
    "<r*": resp.array_in_any_order,
}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise BadTranscript("not a number of seconds") from None
    if seconds <= 0:
        raise BadTranscript("time passes forwards only")
    return seconds


# --- Feeding ------------------------------------------------------------------------------------------------

#: Tears what a client sends in one round, the number of which comes first, into pieces.
Feeding = Callable[[int, bytes], Sequence[bytes]]


def whole(_number: int, data: bytes) -> Sequence[bytes]:
    """Each round in one piece."""
    return [data]


def bytewise(_number: int, data: bytes) -> Sequence[bytes]:
    """Each byte by itself; of a long round only the bytes where a parser could trip."""
    if len(data) <= LONG:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted({0, len(data), *range(0, len(data), 1_447), *_risky(data)})
    return [data[start:end] for start, end in itertools.pairwise(cuts)]


def cuts(conversation: Conversation) -> Iterator[Feeding]:
    """All ways to cut a conversation into two pieces at one place.

    Of a long conversation only a sample is taken: half of the cuts where a parser could trip and half evenly
    spread.
    """
    for number, round_ in enumerate(conversation.rounds):
        data = spell(round_.sends, Known(_SOME_TIME))
        places: Sequence[int] = range(1, len(data))
        if conversation.length > LONG:
            spread = _thinned(places, SAMPLED_CUTS // 2)
            places = sorted({*spread, *_thinned(_risky(data), SAMPLED_CUTS // 2)})
        for place in places:
            yield _cut_at(number, place)


def _cut_at(where: int, place: int) -> Feeding:
    def feeding(number: int, data: bytes) -> Sequence[bytes]:
        return [data[:place], data[place:]] if number == where else [data]

    return feeding


def _risky(data: bytes) -> Sequence[int]:
    """The places near line ends and within the heads of binary requests."""
    ends = (at for found in re.finditer(rb"[\r\n]", data) for at in range(found.start() - 1, found.start() + 3))
    heads = (at for found in re.finditer(rb"\x80", data) for at in range(found.start() - 1, found.start() + 36))
    return sorted({at for at in (*ends, *heads) if 0 < at < len(data)})


def _thinned(places: Sequence[int], count: int) -> Sequence[int]:
    return places[:: max(1, len(places) // count)]


# --- Replaying ----------------------------------------------------------------------------------------------


class Client(Protocol):
    """One connection to a server."""

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection, as far as the last `send` could see."""

    def send(self, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> bytes:
        """Send the pieces one after the other, and return what the server answers up to quiescence.

        `enough` says of what has been answered so far that no more need be waited for: quiescence cannot be
        seen from the far end of a socket. A server that sees its own quiescence has no use for it.
        """


class Server(Protocol):
    """What a conversation is held with: a server that holds no data yet."""

    def connect(self) -> Client:
        """A new connection."""

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""

    def unix_time(self) -> float:
        """What the server takes for the present time."""


def replay(conversation: Conversation, server: Server, feeding: Feeding = whole) -> None:
    """Hold a conversation with a server.

    Raises:
        Mismatch: if the server answers anything else than the transcript says.
    """
    known = Known(int(server.unix_time()))
    clients: dict[str, Client] = {}
    for number, round_ in enumerate(conversation.rounds):
        if round_.advance:
            server.advance(round_.advance)
        if round_.client not in clients:
            clients[round_.client] = server.connect()
        known = _hold(conversation, round_, clients[round_.client], known, partial(feeding, number))
    for name, client in clients.items():
        rounds = [round_ for round_ in conversation.rounds if round_.client == name]
        if not rounds[-1].closes:
            _hold(conversation, _still_there(conversation, rounds[0]), client, known, partial(whole, 0))


def _still_there(conversation: Conversation, first: Round) -> Round:
    """What a client says at the end, in the protocol that it spoke at first."""
    sends: Template
    expects: Template
    if is_redis(conversation.server):
        sends, expects = (b"PING\r\n",), (b"+PONG\r\n",)
        if conversation.server in LOCKED:
            expects = (AnyText(), b"\r\n")
    elif spell(first.sends, Known(_SOME_TIME)).startswith(b"\x80"):
        sends, expects = packet.request("version"), packet.reply("version value={any}")
    else:
        # Whoever has not been let in is told nothing but that.
        version = b"" if conversation.server in LOCKED else b"VERSION "
        sends, expects = (b"version\r\n",), (version, AnyText(), b"\r\n")
    return Round(first.client, 0.0, sends, expects, closes=False)


def _hold(
    conversation: Conversation,
    round_: Round,
    client: Client,
    known: Known,
    tear: Callable[[bytes], Sequence[bytes]],
) -> Known:
    """Hold one round; return what is known then."""

    def enough(answered: bytes) -> bool:
        verdict, _ = compare(round_.expects, known, answered)
        return verdict is Verdict.WRONG or (verdict is Verdict.COMPLETE and not round_.closes)

    pieces = tear(spell(round_.sends, known))
    answered = client.send(pieces, enough)
    verdict, learnt = compare(round_.expects, known, answered)
    if verdict is Verdict.COMPLETE and client.closed == round_.closes:
        return learnt
    expected = spell(round_.expects, known)
    raise Mismatch(
        f"{conversation.source}.txt: {conversation.title}\n"
        f"sent in {len(pieces)} piece(s): {_shown(b''.join(pieces))}\n"
        f"expected: {_shown(expected)}{' <closed>' * round_.closes}\n"
        f"answered: {_shown(answered)}{' <closed>' * client.closed}"
    )


def _shown(data: bytes) -> str:
    shown = repr(data)[2:-1]
    return shown if len(shown) <= 1_200 else f"{shown[:800]} ... ({len(data)} bytes) ... {shown[-300:]}"
