r"""Conversations with a memcached server, written down as text, and their replay against any server.

Problem: what memcached answers to a wrong word, a torn line or a late expiry is told by no document; it is
told by memcached. Unit tests that repeat what the author believes cannot notice a wrong belief.

Idea: each file in tests/transcripts is a story of what a client sends and what memcached 1.6 answers. The same
file is replayed against memcached itself, which proves the expectation, and against memrep, which proves the
code. Replies are compared to the byte. How the bytes are torn on their way must not matter, so that a
conversation is fed whole, byte by byte, and in two pieces cut at any position.

A file is made of conversations with blank lines between them:

    # A comment.
    == claim of what happens here
    > text              the client sends text and CRLF
    >> text             the client sends text exactly, without a line end
    < text              the server answers text and CRLF
    <closed>            the server closes the connection
    @wait               the client waits for the replies before it goes on
    @advance SECONDS    virtual time passes; a server whose clock cannot be moved is not asked
    @differs: reason    memrep deliberately answers otherwise than memcached; see `Conversation.differs`

In a text, `\xNN`, `\r`, `\n`, `\0`, `\\`, `\$`, `\{`, `\}` and `\*` stand for one byte each, and any other
character for its UTF-8 bytes. `{TEXT*N}` is TEXT N times over; TEXT may hold escapes and such braces again.
`{now+N}` and `{now-N}` are the unix time N seconds from when the replay began. `{any}`, in a reply, is whatever
stands there up to the line's end, and `{N..M}` a number from N to M: a second may pass while they talk. `$name`
is a decimal number, a cas unique: its first place in a reply binds it, each later one must show the same, two
names never the same one. A line must not end in a blank, because nobody would see it: write `\x20`.

Unless told so, the client does not wait for replies: what it sends up to the end, to a `@wait` or `@advance`,
or to a `$name` that it has yet to learn, is one round, and the replies of a round are compared as one run of
bytes. Every conversation that does not end in `<closed>` must leave the server at the beginning of a command,
since `replay` ends with a `version` to prove that nothing more came and that both sides still agree where a
command begins.
"""

from __future__ import annotations

import enum
import importlib
import itertools
import os
import pwd
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import attrs

TRANSCRIPTS: Final = Path(__file__).parent / "transcripts"

#: The oracle. The conversations were written down from this program's version 1.6.
MEMCACHED: Final = Path("/usr/bin/memcached")

#: Seconds after which a server that owes bytes is taken for silent. Only a failing replay ever waits so long.
PATIENCE_S: Final = 5.0

#: A conversation of more bytes is too long to be fed in single bytes, or to be cut at each position.
LONG: Final = 2_000

#: How many cuts are tried of a long conversation.
SAMPLED_CUTS: Final = 60


class BadTranscript(ValueError):
    """A transcript file that does not follow the rules."""


class Mismatch(AssertionError):
    """A server that answers otherwise than the transcript."""


# --- What a transcript says ---------------------------------------------------------------------------------


@attrs.frozen
class Number:
    """A decimal number that the server chooses."""

    name: str


@attrs.frozen
class UnixTime:
    """The unix time that many seconds after the replay's beginning."""

    offset: int


@attrs.frozen
class AnyText:
    """Whatever the server says up to the line's end."""


@attrs.frozen
class Within:
    """A decimal number that the server chooses from a range, both ends of which are allowed."""

    least: int
    most: int


Part = bytes | Number | UnixTime | AnyText | Within
Template = tuple[Part, ...]


@attrs.frozen
class Round:
    """What a client sends in one go, and all that it must be answered.

    Attributes:
        advance: the virtual seconds that pass before it.
        sends: what the client sends.
        expects: what the server answers.
        closes: whether the server then closes the connection.
    """

    advance: float
    sends: Template
    expects: Template
    closes: bool


@attrs.frozen
class Conversation:
    """One claim and the conversation that shows it.

    Attributes:
        title: the claim.
        source: the file's name without its suffix.
        rounds: what is said; see the module's description.
        differs: why memrep answers this otherwise than memcached. What memcached answers is then none of this
            transcript's business, save that it must be something else: or else the difference is gone.
    """

    title: str
    source: str
    rounds: tuple[Round, ...]
    differs: str | None

    @property
    def moves_time(self) -> bool:
        """Whether it needs a server whose clock can be moved."""
        return any(round_.advance for round_ in self.rounds)

    @property
    def length(self) -> int:
        """The number of bytes that the client sends; a number that it has yet to learn counts as one byte."""
        return sum(_length(round_.sends) for round_ in self.rounds)


def _length(template: Template) -> int:
    return sum(len(part) if isinstance(part, bytes) else 1 for part in template)


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
                drafts.append(_Draft(line[3:]))
                between = False
            elif between:
                raise BadTranscript("a conversation begins with == and its claim")
            else:
                drafts[-1].add(line)
        except BadTranscript as error:
            raise BadTranscript(f"{source}.txt:{number}: {error}: {line[:80]!r}") from None
    return [draft.finish(source) for draft in drafts]


class _Draft:
    """A conversation of which the lines are still being read."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._differs: str | None = None
        self._rounds: list[Round] = []
        self._advance = 0.0
        self._sends: Template = ()
        self._expects: Template = ()
        self._closes = False
        self._known: set[str] = set()
        self._learnt: set[str] = set()

    def add(self, line: str) -> None:
        """Take in the next line of the file."""
        mark, _, text = line.partition(" ")
        if mark in (">", ">>"):
            template = parse_text(text) + ((b"\r\n",) if mark == ">" else ())
            self._send(template)
        elif mark == "<":
            self._expect((*parse_text(text), b"\r\n"))
        elif line == "<closed>":
            self._closes = True
        elif mark == "@advance":
            self._end_round()
            self._advance += _seconds(text)
        elif line == "@wait":
            self._end_round()
        elif mark == "@differs:" and text:
            self._differs = text
        else:
            raise BadTranscript("no known mark")

    def finish(self, source: str) -> Conversation:
        """The conversation, now that it is complete."""
        self._end_round()
        if not self._rounds:
            raise BadTranscript(f"{source}.txt: nothing is said in {self.title!r}")
        return Conversation(self.title, source, tuple(self._rounds), self._differs)

    def _send(self, template: Template) -> None:
        for part in template:
            if isinstance(part, AnyText | Within):
                raise BadTranscript("a client cannot send {any} or {N..M}")
            if isinstance(part, Number) and part.name not in self._known:
                if part.name not in self._learnt:
                    raise BadTranscript(f"${part.name} is sent before any reply tells it")
                self._end_round()
        self._sends += template

    def _expect(self, template: Template) -> None:
        if self._closes:
            raise BadTranscript("the server answers after it has closed")
        self._learnt |= {part.name for part in template if isinstance(part, Number)}
        self._expects += template

    def _end_round(self) -> None:
        if self._sends or self._expects or self._closes:
            sends, expects = _joined(self._sends), _joined(self._expects)
            self._rounds.append(Round(self._advance, sends, expects, self._closes))
            self._advance = 0.0
        self._sends = self._expects = ()
        self._known |= self._learnt


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise BadTranscript("not a number of seconds") from None
    if seconds <= 0:
        raise BadTranscript("time passes forwards only")
    return seconds


_TOKEN: Final = re.compile(
    r"\\x(?P<hex>[0-9a-fA-F]{2})"
    r"|\\(?P<escape>[rn0\\${}*])"
    r"|\$(?P<number>[a-z][a-z0-9_]*)"
    r"|\{now(?P<offset>[+-]\d+)\}"
    r"|(?P<any>\{any\})"
    r"|\{(?P<least>\d+)\.\.(?P<most>\d+)\}"
    r"|(?P<open>\{)"
    r"|\*(?P<times>\d+)\}"
    r"|(?P<plain>[^\\${}])"
)
_ESCAPES: Final = {"r": b"\r", "n": b"\n", "0": b"\0"}


def parse_text(text: str) -> Template:
    """What the text of one line stands for.

    Raises:
        BadTranscript: where it breaks a rule of the module's description.
    """
    levels: list[list[Part]] = [[]]
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
            case "number" | "offset" | "any" | "most":
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
    return _joined(tuple(levels[0]))


def _variable(token: re.Match[str]) -> Part:
    match token.lastgroup:
        case "number":
            return Number(token["number"])
        case "offset":
            return UnixTime(int(token["offset"]))
        case "most":
            return Within(int(token["least"]), int(token["most"]))
        case _:
            return AnyText()


def _repeated(parts: list[Part], times: int) -> bytes:
    texts = [part for part in parts if isinstance(part, bytes)]
    if len(texts) < len(parts):
        raise BadTranscript("only plain text can be repeated")
    return b"".join(texts) * times


def _joined(template: Template) -> Template:
    """The same template with its neighbouring texts made one, as both feeding and comparing are then quick."""
    parts: list[Part] = []
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


# --- Comparing ----------------------------------------------------------------------------------------------


class Verdict(enum.Enum):
    """How a reply compares with what is expected."""

    COMPLETE = "it is what is expected"
    PARTIAL = "more is expected"
    WRONG = "it is something else"


_DIGITS: Final = re.compile(rb"\d{0,20}")
_REST_OF_LINE: Final = re.compile(rb"[^\r\n]*")


@attrs.define
class Listener:
    """Compares replies with templates, and remembers the numbers that it learns on the way.

    Attributes:
        began: the unix time of the replay's beginning.
        numbers: the values of the numbers that are known so far.
    """

    began: int
    numbers: dict[str, bytes] = attrs.field(factory=dict)

    def render(self, template: Template) -> bytes:
        """The bytes of a template of which all numbers are known; `?` and `...` stand for what is not."""
        return b"".join(self._render(part) for part in template)

    def _render(self, part: Part) -> bytes:
        match part:
            case Number(name):
                return self.numbers.get(name, b"?")
            case UnixTime(offset):
                return b"%d" % (self.began + offset)
            case AnyText():
                return b"..."
            case Within(least, most):
                return b"%d..%d" % (least, most)
            case _:
                return part

    def compare(self, expected: Template, actual: bytes) -> tuple[Verdict, dict[str, bytes]]:
        """How a reply compares, and the numbers as they are known if it is complete."""
        numbers = dict(self.numbers)
        position = 0
        for part in expected:
            if isinstance(part, Number) and part.name not in numbers:
                found = _DIGITS.match(actual, position)
                value = found[0] if found else b""
                if position + len(value) == len(actual):
                    return Verdict.PARTIAL, self.numbers
                if not value or value in numbers.values():
                    return Verdict.WRONG, self.numbers
                numbers[part.name] = value
                position += len(value)
            elif isinstance(part, Within):
                found = _DIGITS.match(actual, position)
                value = found[0] if found else b""
                if position + len(value) == len(actual):
                    return Verdict.PARTIAL, self.numbers
                if not value or not part.least <= int(value) <= part.most:
                    return Verdict.WRONG, self.numbers
                position += len(value)
            elif isinstance(part, AnyText):
                rest = _REST_OF_LINE.match(actual, position)
                position += len(rest[0]) if rest else 0
            else:
                text = numbers[part.name] if isinstance(part, Number) else self._render(part)
                piece = actual[position : position + len(text)]
                if piece != text:
                    partial = position + len(piece) == len(actual) and text.startswith(piece)
                    return (Verdict.PARTIAL if partial else Verdict.WRONG), self.numbers
                position += len(text)
        return (Verdict.COMPLETE if position == len(actual) else Verdict.WRONG), numbers


# --- Feeding ------------------------------------------------------------------------------------------------

#: Tears what a client sends in one round, the number of which comes first, into pieces.
Feeding = Callable[[int, bytes], Sequence[bytes]]


def whole(_number: int, data: bytes) -> Sequence[bytes]:
    """Each round in one piece."""
    return [data]


def bytewise(_number: int, data: bytes) -> Sequence[bytes]:
    """Each byte by itself; of a long round only the bytes near its line ends, where a parser could trip."""
    if len(data) <= LONG:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted({0, len(data), *range(0, len(data), 1_447), *_near_line_ends(data)})
    return [data[start:end] for start, end in itertools.pairwise(cuts)]


def cuts(conversation: Conversation) -> Iterator[Feeding]:
    """All ways to cut a conversation into two pieces at one place.

    Of a long conversation only a sample is taken: half of the cuts near line ends and half evenly spread.
    """
    for number, round_ in enumerate(conversation.rounds):
        data = Listener(0, {}).render(round_.sends)
        places: Sequence[int] = range(1, len(data))
        if conversation.length > LONG:
            spread = _thinned(places, SAMPLED_CUTS // 2)
            places = sorted({*spread, *_thinned(_near_line_ends(data), SAMPLED_CUTS // 2)})
        for place in places:
            yield _cut_at(number, place)


def _cut_at(where: int, place: int) -> Feeding:
    def feeding(number: int, data: bytes) -> Sequence[bytes]:
        return [data[:place], data[place:]] if number == where else [data]

    return feeding


def _near_line_ends(data: bytes) -> Sequence[int]:
    ends = (found.start() for found in re.finditer(rb"[\r\n]", data))
    return sorted({at for end in ends for at in range(end - 1, end + 3) if 0 < at < len(data)})


def _thinned(places: Sequence[int], count: int) -> Sequence[int]:
    return places[:: max(1, len(places) // count)]


# --- Replaying ----------------------------------------------------------------------------------------------


class Server(Protocol):
    """What a conversation is held with: one connection to a server that holds no data yet."""

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection, as far as the last `send` could see."""

    def send(self, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> bytes:
        """Send the pieces one after the other, and return what the server answers up to quiescence.

        `enough` says of what has been answered so far that no more need be waited for: quiescence cannot be
        seen from the far end of a socket. A server that sees its own quiescence has no use for it.
        """

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""

    def unix_time(self) -> float:
        """What the server takes for the present time."""


_STILL_THERE: Final = Round(0.0, (b"version\r\n",), (b"VERSION ", AnyText(), b"\r\n"), closes=False)


def replay(conversation: Conversation, server: Server, feeding: Feeding = whole) -> None:
    """Hold a conversation with a server.

    Raises:
        Mismatch: if the server answers anything else than the transcript says.
    """
    listener = Listener(int(server.unix_time()))
    for number, round_ in enumerate(conversation.rounds):
        if round_.advance:
            server.advance(round_.advance)
        _hold(conversation, round_, server, listener, partial(feeding, number))
    if not conversation.rounds[-1].closes:
        _hold(conversation, _STILL_THERE, server, listener, partial(whole, 0))


def _hold(
    conversation: Conversation,
    round_: Round,
    server: Server,
    listener: Listener,
    tear: Callable[[bytes], Sequence[bytes]],
) -> None:
    def enough(answered: bytes) -> bool:
        verdict, _ = listener.compare(round_.expects, answered)
        return verdict is Verdict.WRONG or (verdict is Verdict.COMPLETE and not round_.closes)

    pieces = tear(listener.render(round_.sends))
    answered = server.send(pieces, enough)
    verdict, listener.numbers = listener.compare(round_.expects, answered)
    if verdict is Verdict.COMPLETE and server.closed == round_.closes:
        return
    expected = listener.render(round_.expects)
    raise Mismatch(
        f"{conversation.source}.txt: {conversation.title}\n"
        f"sent in {len(pieces)} piece(s): {_shown(b''.join(pieces))}\n"
        f"expected: {_shown(expected)}{' <closed>' * round_.closes}\n"
        f"answered: {_shown(answered)}{' <closed>' * server.closed}"
    )


def _shown(data: bytes) -> str:
    shown = repr(data)[2:-1]
    return shown if len(shown) <= 1_200 else f"{shown[:800]} ... ({len(data)} bytes) ... {shown[-300:]}"


# --- The servers --------------------------------------------------------------------------------------------


class RealMemcached:
    """The oracle, by way of TCP.

    Each conversation gets a process of its own, which is up within milliseconds: no conversation can then see
    what another one stored, flushed or set up, and none need take care of the names of its keys.
    """

    def __init__(self) -> None:
        self.closed = False
        self._folder = tempfile.TemporaryDirectory(prefix="memcached")
        # memcached chooses a free port by itself and tells it in this file, so that no port is ever tried that
        # somebody else takes in the meantime.
        port_file = Path(self._folder.name) / "port"
        self._process = subprocess.Popen(
            [
                MEMCACHED,
                "-u",
                pwd.getpwuid(os.getuid()).pw_name,
                "-l",
                "127.0.0.1",
                "-p",
                "-1",
                "-U",
                "0",
                "-m",
                "64",
            ],
            env={**os.environ, "MEMCACHED_PORT_FILENAME": str(port_file)},
        )
        try:
            self._socket = socket.create_connection(("127.0.0.1", self._port(port_file)), PATIENCE_S)
        except BaseException:
            self._stop()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> RealMemcached:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._stop()

    def send(self, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> bytes:
        """See `Server`. A reset counts as closing: it is what closing looks like while bytes are under way."""
        try:
            for piece in pieces:
                self._socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answered = b""
        try:
            while not enough(answered):
                received = self._socket.recv(1 << 20)
                if not received:
                    self.closed = True
                    break
                answered += received
        except TimeoutError:
            pass
        except ConnectionResetError:
            self.closed = True
        return answered

    def advance(self, seconds: float) -> None:
        """Not possible; who replays must not ask for it."""
        raise NotImplementedError("reference cannot move time")

    def unix_time(self) -> float:
        """The present time."""
        return time.time()

    def _port(self, port_file: Path) -> int:
        deadline = time.monotonic() + PATIENCE_S
        # The file is given its name when it is complete. Looking for it without a pause costs the few
        # milliseconds that the process needs, and no more.
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{MEMCACHED} did not start")
        found = re.search(r"TCP INET: (\d+)", port_file.read_text())
        if found is None:
            raise RuntimeError(f"{MEMCACHED} told no port: {port_file.read_text()!r}")
        return int(found[1])

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


class _Connection(Protocol):
    @property
    def closing(self) -> bool: ...

    def receive(self, data: bytes) -> bytes: ...


class _LoneNode(Protocol):
    def connect(self) -> _Connection: ...

    def advance(self, seconds: float) -> None: ...


class MemrepNode:
    """One node without a network and without peers, whose clock is moved by hand."""

    def __init__(self) -> None:
        # Read only when a node is wanted: the transcripts can be proved true before there is any node.
        support = importlib.import_module("tests.support")
        self._node: _LoneNode = support.lone_node()
        self._unix_time: float = support.WALL / 1000
        self._connection: _Connection = self._node.connect()

    @property
    def closed(self) -> bool:
        """See `Server`."""
        return self._connection.closing

    def send(self, pieces: Sequence[bytes], enough: Callable[[bytes], bool]) -> bytes:
        """See `Server`. What is sent to a closed connection is lost, as it would be on a socket."""
        answered = b""
        for piece in pieces:
            if self.closed:
                break
            answered += self._connection.receive(piece)
        return answered

    def advance(self, seconds: float) -> None:
        """See `Server`."""
        self._node.advance(seconds)
        self._unix_time += seconds

    def unix_time(self) -> float:
        """See `Server`."""
        return self._unix_time
