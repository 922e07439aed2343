"""One client of Redis' protocol: its commands one after another, each reply in its place.

Theory: a handler says what its command is going to do (plan.py), and that is carried out (execution.py). While
it is on its way what stands behind it waits until it has said its word. Only plain writes, SET and SETEX, may
stand behind plain writes that are under way, as with memcached's protocols.

A `get` goes a short way: no plan is made for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memrep.engine.engine import Engine
from memrep.engine.future import Future
from memrep.engine.operations import STORED, Result
from memrep.protocol.client_policy import ClientCommands
from memrep.protocol.connection import Connection
from memrep.protocol.dialect import COMMANDS_A_LOOK, Dialect, ServerContext
from memrep.protocol.farewell import Farewell
from memrep.protocol.replies import OUTPUT_MAX, QUEUE_MAX
from memrep.protocol.resp.arguments import ITEM_TOO_LARGE, CommandError, deadline
from memrep.protocol.resp.client import OFF, SKIP, SKIP_NEXT, Client
from memrep.protocol.resp.command import CONTROL, NO_AUTH, NO_KEYS, PUSHES, READ, WRITE, Command
from memrep.protocol.resp.execution import Execution
from memrep.protocol.resp.parser import LINE_MAX, SMALL, Parser, ProtocolError
from memrep.protocol.resp.plan import Made
from memrep.protocol.resp.pubsub import NOT_WHILE_SUBSCRIBED, WHILE_SUBSCRIBED
from memrep.protocol.resp.spelling import OK, QUEUED, error
from memrep.protocol.resp.table import BY_FIRST_WORD, find, unknown
from memrep.storage.entry import NEVER, Entry

_GET: Final = b"*2\r\n$3\r\nGET\r\n$"
_NO_AUTH: Final = b"NOAUTH Authentication required."
#: What a browser says that a page has sent here: nobody who means Redis says it.
_BROWSERS: Final = frozenset([b"post", b"host:"])

_ARRAY: Final = 0x2A

#: So many words may a command have that has no keys. One with keys is carried out a piece at a time.
_WORDS_MAX: Final = 1_000


#: What is left of a client's silence when its next command comes.
_MUTED_BEHIND: Final = {OFF: OFF, SKIP_NEXT: SKIP}


class Resp(Dialect):
    """What one Redis client says; see `dialect.Dialect`.

    Args:
        connection: its connection.
        engine: executes what it wants.
        commands: those of memcached's clients, of which nothing is wanted here.
        context: what it sees of the node.
    """

    __slots__ = ("_client", "_connection", "_engine", "_execution", "_held", "_out", "_parser", "_replies")

    def __init__(
        self, connection: Connection, engine: Engine, commands: ClientCommands, context: ServerContext
    ) -> None:
        server = context.redis
        assert server is not None
        self._connection = connection
        self._engine = engine
        self._replies = connection.replies
        self._out = connection.out
        self._client = Client(engine, server, connection)
        self._parser = Parser(engine.item_limit.item_max)
        self._parser.stranger = self._client.user is None
        self._held: tuple[Command | None, list[bytes]] | None = None  # a command that has to wait for its turn
        self._execution = Execution(connection, engine, self._client)
        server.came(self._client)

    # --- the dialect's contract

    @property
    def suspended(self) -> bool:
        """Tell whether a command is running, or waits for its turn."""
        runs = self._execution.runs or self._held is not None
        return runs or self._client.subscriber.waits

    def resume_command(self) -> None:
        """Go on with it, as far as what it waits for is there; then tell what was published."""
        execution = self._execution
        execution.go_on()
        if self._held is not None and not execution.runs and not self._has_to_wait(*self._held):
            command, words = self._held
            self._held = None
            if command is not None and self._is_plain(command, words):
                self._set(command, words)
            else:
                self._command(command, words)
        if not execution.runs:
            self._tell_what_was_published()

    def _tell_what_was_published(self) -> None:
        """Say it, if nothing that comes before it is still unknown."""
        subscriber = self._client.subscriber
        if subscriber.waits and not self._replies.queue:
            for message in subscriber.take():
                self._connection.size += len(message)
                self._out.append(message)

    def oversized(self, inbox: bytearray) -> bool:
        """Tell whether this is a line that grows without end; the parser knows of all else."""
        return len(inbox) > LINE_MAX and inbox[0] != _ARRAY and b"\n" not in inbox and not self._parser.need

    @property
    def farewell(self) -> Farewell:
        """Return how the node hangs up on the client now."""
        client, execution = self._client, self._execution
        farewell = client.server.farewell
        mute = client.muted or (execution.runs and execution.mute)
        word = b"" if mute or execution.half_said else farewell.word
        return Farewell(farewell.hold_s, word, execution.runs or self._held is not None)

    def left(self) -> None:
        """Drop what has not been begun, and tell the server that the client is gone."""
        self._held = None
        self._client.server.left(self._client)

    def execute(self, data: bytes, start: int) -> int:
        """Execute the commands in `data` from `start`; return where the first unfinished one begins."""
        connection, queue, parser, client = self._connection, self._replies.queue, self._parser, self._client
        flow, size, done, execution = connection.flow, len(data), 0, self._execution
        connection.need = 0
        while (
            not (connection.closing or execution.runs)
            and (connection.size < OUTPUT_MAX and len(queue) < QUEUE_MAX)
            and (not done or done % COMMANDS_A_LOOK or not connection.spent())
        ):
            if start == size:
                return start
            done += 1
            if data.startswith(_GET, start) and not (queue or parser.left or flow.tight or client.bound):
                after = self._get(data, start + len(_GET))
                if after:
                    start = after
                    continue
            try:
                words = parser.read(data, start)
            except ProtocolError as broken:
                self._out.append(error(b"ERR Protocol error: %b" % str(broken).encode("latin-1")))
                connection.closing = True
                return size
            start = parser.end
            if words is None:
                connection.need = parser.need
                return start
            if words:
                command = BY_FIRST_WORD.get(words[0]) or find(words)
                # What was passed over is refused at once, whatever it is: its words are not what was said.
                passed_over = parser.passed_over
                if (queue or flow.tight) and not passed_over and self._has_to_wait(command, words):
                    self._held = command, words
                    break
                if command is not None and command.plain == len(words) and not (client.bound or passed_over):
                    self._set(command, words)
                else:
                    self._command(command, words)
            elif client.muted == SKIP_NEXT:  # an empty command is one, too
                client.muted = b""
                client.settle()
        connection.stopped = not connection.closing
        return start

    # --- commands

    def _get(self, data: bytes, start: int) -> int:
        """Answer a GET whose key's length stands here, if it is whole; return what is behind it, else 0."""
        end = data.find(b"\r", start)
        length = SMALL.get(data[start:end])
        if end < 0 or length is None:
            return 0
        begin = end + 2
        after = begin + length
        if after + 2 > len(data):
            return 0
        found = self._engine.get(self._client.database.stored(data[begin:after]))
        if type(found) is Entry:
            value = found.value or b""
            self._connection.size += len(value)
            self._out.append(b"$%d\r\n%b\r\n" % (len(value), value))
        elif found is None:
            self._out.append(self._client.say.nil)
        else:
            assert isinstance(found, Future)
            self._replies.hold(found, self._client.shown)
        return after + 2

    def _has_to_wait(self, command: Command | None, words: Sequence[bytes]) -> bool:
        """Tell whether this command must wait for earlier ones, or until less is on its way."""
        replies = self._replies
        if replies.queue and not (replies.plain and self._is_plain(command, words)):
            return True
        if command is None or not self._connection.flow.tight:
            return False
        return self._connection.waits(bool(command.flags & WRITE), bool(command.flags & READ))

    def _is_plain(self, command: Command | None, words: Sequence[bytes]) -> bool:
        """Tell whether this is a write that asks nothing of what is there: SET, SETEX, PSETEX."""
        return command is not None and command.plain == len(words) and not self._client.bound

    def _command(self, command: Command | None, words: list[bytes]) -> None:
        """Execute one command, or queue it behind MULTI."""
        client = self._client
        client.muted = _MUTED_BEHIND.get(client.muted, b"")
        pushes = False
        made: Made
        try:
            command = self._checked(command, words)
        except CommandError as refusal:
            made = self._rejected(command, refusal)
        else:
            try:
                made = self._made(command, words)
                pushes = bool(command.flags & PUSHES)
            except CommandError as refusal:
                made = error(refusal.text)
        self._execution.mute = bool(client.muted) and not pushes  # what ends the silence is answered
        if isinstance(made, bytes):
            self._tell_what_was_published()  # by this command, maybe, to its own client: before the reply
        self._execution.begin(made)
        client.settle()
        self._parser.stranger = client.user is None
        self._connection.closing |= client.closing

    def _checked(self, command: Command | None, words: list[bytes]) -> Command:
        """Return the command, if it may be executed or queued.

        Raises:
            CommandError: it may not.
        """
        if command is None:
            if words[0].lower() in _BROWSERS:
                self._client.closing = True
                raise CommandError(b"")
            raise CommandError(unknown(words))
        if not command.fits(len(words)):
            raise CommandError(b"ERR wrong number of arguments for '%b' command" % command.name)
        if self._client.user is None and not command.flags & NO_AUTH:
            raise CommandError(_NO_AUTH)
        if self._parser.passed_over:
            raise CommandError(ITEM_TOO_LARGE)
        if command.flags & NO_KEYS and len(words) > _WORDS_MAX:
            raise CommandError(b"ERR too many words")
        if self._client.subscriber and self._client.say.version == 2 and command.name not in WHILE_SUBSCRIBED:
            raise CommandError(NOT_WHILE_SUBSCRIBED % command.name)
        return command

    def _rejected(self, command: Command | None, refusal: CommandError) -> bytes:
        """Spell why a command is not even looked at; behind MULTI that breaks the transaction."""
        client = self._client
        if not refusal.text:
            return b""
        if command is not None and command.name == b"exec":
            client.transaction = None
            client.watched.clear()
            return error(b"EXECABORT Transaction discarded because of: " + refusal.text.removeprefix(b"ERR "))
        if client.transaction is not None:
            client.transaction.broken = True
        return error(refusal.text)

    def _made(self, command: Command, words: list[bytes]) -> Made:
        """Return what this command is going to do, or its reply, whole or in pieces.

        Raises:
            CommandError: it is refused.
        """
        client = self._client
        if client.transaction is not None and not command.flags & CONTROL:
            client.transaction.add(command, words)
            return QUEUED
        return command.handler(client, words)

    def _set(self, command: Command, words: Sequence[bytes]) -> None:
        """Execute a plain write."""
        client, engine = self._client, self._engine
        key, value, ends = client.database.stored(words[1]), words[-1], NEVER
        try:
            if len(key) + len(value) > client.small:
                client.check_size(key, value)
            if command.unit:
                units = SMALL.get(words[2])
                if units:
                    ends = client.clock.now + units * command.unit
                else:
                    ends = deadline(words[2], command.unit, client.clock, command.name, relative=True)
        except CommandError as refusal:
            self._out.append(error(refusal.text))
            return
        result = engine.set(key, 0, ends, value, keep=True)
        if result is STORED:
            self._out.append(OK)
        elif isinstance(result, Future):
            self._replies.hold(result, self._stored, plain=True)
        else:
            self._out.append(client.refused(result))

    def _stored(self, result: Result) -> bytes:
        return OK if result is STORED else self._client.refused(result)
