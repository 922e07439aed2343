"""The greeting that opens a link: who calls, does it believe in the same nodes, and do both know the secret?

    the called end    Challenge(nonce)
    the caller        Hello(wire, node, to, inc, nodes, terms, nonce, proof)
    the called end    Welcome(proof), or Sorry(reason) and the end
    the caller        messages, and nothing comes back any more

With a secret (--secret-file) both ends prove that they know it, without telling it, before a message is sent or
taken. A proof is HMAC-SHA256 over the prover's role, the called end's nonce, and all of Hello as it came:

- both nonces are in it, drawn anew for each link, so that a proof which was overheard is worth nothing later;
- the role is in it, so that nobody's own proof can be sent back to him;
- so are both nodes, the one that is called (`to`) among them: a proof cannot be carried on to a third node;
- the caller goes first: who merely knocks learns nothing that he could try secrets on at home.

Without a secret the proofs are empty; then only the nodes' own addresses are let in (daemon/peer_allowlist.py).

The secret keeps strangers from posing as nodes. It neither encrypts nor signs what follows: against those who
can read or change packets between two nodes it takes a tunnel.

A node that is turned away gets one line with the reason, for its log: two operators who disagree about the list
of nodes should not have to guess. With a secret that line tells strangers nothing about this node but that.

Both ends read that line, and "it" and "this node" would mean the other one to each of them. So it speaks of
`the caller` and `the called node`, and the caller, who knows both, puts their names in.
"""

from __future__ import annotations

import hmac
import re
from typing import Annotated, Final

import attrs
import msgspec
from msgspec.structs import replace

from memrep.errors import PeerError
from memrep.replication.message import PeerMessage
from memrep.replication.wire import WIRE_VERSION, Inbox, encode, read

#: The length of the random numbers that make each greeting unlike all others.
NONCE_BYTES: Final = 32

_REASON_MAX: Final = 4_096
_NO_GREETING: Final = "the greeting is not that of a memrep node"
_REMEDY: Final = "give all nodes the same file"

#: What reasons call the two ends.
_CALLER: Final = "the caller"
_CALLED: Final = "the called node"

#: Terms are options with their values.
_BETWEEN_TERMS: Final = " (?=--)"

_Nonce = Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


class Challenge(msgspec.Struct, frozen=True, array_like=True, tag="memrep"):
    """The first message on a link, from the end that is called. It is the same in all versions."""

    nonce: _Nonce


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """The answer: who calls whom, which nodes it believes in, and on what terms.

    The terms are the settings that all nodes must share, in words; nodes that differ turn each other away.
    """

    wire: int
    node: int
    to: int
    inc: int
    nodes: list[str]
    terms: str
    nonce: _Nonce
    proof: bytes = b""


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag="welcome"):
    """The caller may speak."""

    proof: bytes


class Sorry(msgspec.Struct, frozen=True, array_like=True, tag="sorry"):
    """The caller is turned away."""

    reason: str


class _Version(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """What Hello begins with in all versions."""

    wire: int


_ENCODE: Final = msgspec.msgpack.Encoder().encode
#: A greeting as it came: its tag, and its fields in their order.
_Said = list[msgspec.Raw]

#: Where in a greeting the proof stands.
_PROOF_AT: Final = 1 + Hello.__struct_fields__.index("proof")

_DECODE_VERSION: Final = msgspec.msgpack.Decoder(_Version).decode
_DECODE_SAID: Final = msgspec.msgpack.Decoder(_Said).decode
_DECODE_HELLO: Final = msgspec.msgpack.Decoder(Hello).decode
_DECODE_ANSWER: Final = msgspec.msgpack.Decoder(Challenge | Welcome | Sorry).decode


@attrs.frozen(kw_only=True)
class Identity:
    """What a node says of itself.

    Attributes:
        me: its number in the list of nodes.
        inc: this start's incarnation.
        nodes: all nodes.
        terms: the settings that all nodes must share, in words.
        secrets: what no stranger knows: the first is proved, any is taken; empty if nothing has to be proved.
    """

    me: int
    inc: int
    nodes: list[str]
    terms: str = ""
    secrets: tuple[bytes, ...] = attrs.field(default=(), repr=False)

    def name(self, node: int) -> str:
        """Return the name of a node of the list, by its number."""
        return self.nodes[node - 1] if 1 <= node <= len(self.nodes) else "?"


def _caller_proves(secret: bytes, nonce: bytes, said: _Said) -> bytes:
    return _proof(secret, "caller", nonce, said)


def _called_proves(secret: bytes, nonce: bytes, said: _Said) -> bytes:
    return _proof(secret, "called", nonce, said)


def _proof(secret: bytes, role: str, nonce: bytes, said: _Said) -> bytes:
    """Return what only a node that knows the secret can say, in this role, of this very greeting."""
    if not secret:
        return b""
    return hmac.digest(secret, _ENCODE((role, nonce, said)), "sha256")


def _said(body: bytes) -> _Said:
    """Return what a greeting says but for its proof.

    All of it as it came, what only a later release understands, too: else its secret would pass for another.
    """
    said = _DECODE_SAID(body)
    if len(said) > _PROOF_AT:
        said[_PROOF_AT] = msgspec.Raw(_ENCODE(b""))
    return said


class Incoming:
    """The end of a link that was called: the greeting first, then messages.

    Args:
        identity: who was called.
        nonce: random bytes, never used before.

    Attributes:
        node: who speaks here; None before the greeting.
        inc: its incarnation.
        unsaid: what is to be sent to the caller.
    """

    def __init__(self, identity: Identity, nonce: bytes) -> None:
        self.node: int | None = None
        self.inc = 0
        self.unsaid = encode(Challenge(nonce))
        self._identity = identity
        self._nonce = nonce
        self._inbox = Inbox()

    def receive(self, data: bytes) -> list[PeerMessage]:
        """Take what has arrived; return the messages that are complete now.

        Raises:
            PeerError: what arrived is no memrep of this version, or one that disagrees. The text is the reason,
                to be logged; it is put into `unsaid`, too, if the caller had not been greeted before.
        """
        if self.node is None:
            self._inbox.feed(data)
            try:
                self._greet()
            except PeerError as error:
                self.unsaid = encode(Sorry(str(error)))
                raise
            if self.node is None:
                return []
            data = b""
        return read(self._inbox.take(data))

    def _greet(self) -> None:
        try:
            body = self._inbox.next()
        except PeerError:
            raise PeerError(_NO_GREETING) from None
        if body is None:
            return
        try:
            wire = _DECODE_VERSION(body).wire
            if wire != WIRE_VERSION:
                older = _CALLER if wire < WIRE_VERSION else _CALLED
                raise PeerError(
                    f"{_CALLER} speaks version {wire} of the nodes' protocol, {_CALLED} version "
                    f"{WIRE_VERSION}; upgrade {older}"
                )
            hello, said = _DECODE_HELLO(body), _said(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise PeerError(_NO_GREETING) from None
        secret = self._secret_of(hello, said)
        self._check_terms(hello)
        self.unsaid = encode(Welcome(_called_proves(secret, self._nonce, said)))
        self.node, self.inc = hello.node, hello.inc
        self._inbox.trust()

    def _secret_of(self, hello: Hello, said: _Said) -> bytes:
        """Return the secret that the caller has proved to know; all are tried, whichever it is."""
        secrets = self._identity.secrets
        if hello.proof and not secrets:
            raise PeerError(f"{_CALLER} has a --secret-file, {_CALLED} has none; {_REMEDY}")
        if secrets and not hello.proof:
            raise PeerError(f"{_CALLER} has no --secret-file, {_CALLED} has one; {_REMEDY}")
        proved = [
            secret
            for secret in secrets
            if hmac.compare_digest(hello.proof, _caller_proves(secret, self._nonce, said))
        ]
        if secrets and not proved:
            raise PeerError(f"the --secret-file of {_CALLER} differs from that of {_CALLED}; {_REMEDY}")
        return proved[0] if proved else b""

    def _check_terms(self, hello: Hello) -> None:
        mine = self._identity
        if hello.nodes != mine.nodes:
            raise PeerError(_printable(f"--nodes differs: {_difference(hello.nodes, mine.nodes)}"))
        if hello.terms != mine.terms:
            theirs, ours = _without_common(hello.terms, mine.terms), _without_common(mine.terms, hello.terms)
            raise PeerError(_printable(f"{_CALLER} runs with {theirs}, {_CALLED} with {ours}"))
        if hello.node == mine.me or not 1 <= hello.node <= len(mine.nodes):
            raise PeerError(f"{_CALLER} claims to be node {hello.node} of the list")
        if hello.to != mine.me:
            wanted, here = mine.name(hello.to), mine.name(mine.me)
            raise PeerError(
                f"{_CALLER} calls {wanted}, but has reached {here}; see where the address leads to, and --self"
            )


def _difference(callers: list[str], called: list[str]) -> str:
    """Tell which nodes are missing in which of two lists."""
    parts = []
    for end, own, others in ((_CALLED, called, callers), (_CALLER, callers, called)):
        missing = [name for name in others if name not in own]
        if missing:
            parts.append(f"{_listed(missing)} missing in that of {end}")
    return "; ".join(parts) or "the same nodes in another order"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _without_common(terms: str, others: str) -> str:
    """Return those of these terms that the other end does not share; all of them if it shares each one."""
    known = re.split(_BETWEEN_TERMS, others)
    return " ".join(term for term in re.split(_BETWEEN_TERMS, terms) if term not in known) or terms


class Outgoing:
    """The calling end of a link, which hears whether it is welcome, and nothing afterwards.

    Args:
        identity: who calls.
        to: the number of the node that is called.
        nonce: random bytes, never used before.

    Attributes:
        welcome: whether messages may be sent.
        reason: why not, if the other side has said so.
    """

    def __init__(self, identity: Identity, to: int, nonce: bytes) -> None:
        self.welcome = False
        self.reason = ""
        self._identity = identity
        self._names = identity.name(identity.me), identity.name(to)
        self._secret = identity.secrets[0] if identity.secrets else b""
        self._hello = Hello(WIRE_VERSION, identity.me, to, identity.inc, identity.nodes, identity.terms, nonce)
        self._challenge = b""
        self._inbox = Inbox()

    def receive(self, data: bytes) -> bytes:
        """Take what has arrived; return what is to be said to that.

        Raises:
            PeerError: the other side is no memrep, or does not know the secret.
        """
        answers = b""
        self._inbox.feed(data)
        while not self.reason and (body := self._inbox.next()) is not None:
            answers += self._hear(body)
        return answers

    def _hear(self, body: bytes) -> bytes:
        try:
            heard = _DECODE_ANSWER(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise PeerError("the answer is not that of a memrep node") from None
        # That which this end proves, and no other: who knows only a former one, which is still taken from
        # callers, must not pass for the node that is called.
        secret, said = self._secret, _said(_ENCODE(self._hello))
        if isinstance(heard, Sorry) and not self.welcome:
            reason = _printable(heard.reason) or "it gives no reason"
            self.reason = with_names(reason, *self._names)
        elif isinstance(heard, Challenge) and not self._challenge:
            self._challenge = heard.nonce
            return encode(replace(self._hello, proof=_caller_proves(secret, heard.nonce, said)))
        elif isinstance(heard, Welcome) and self._challenge and not self.welcome:
            if not hmac.compare_digest(heard.proof, _called_proves(secret, self._challenge, said)):
                raise PeerError(f"it does not prove that it knows this node's --secret-file; {_REMEDY}")
            self.welcome = True
        else:
            raise PeerError("it speaks out of turn")
        return b""


def with_names(reason: str, caller: str, called: str) -> str:
    """Put the names of the two ends into a reason for which one turns the other away."""
    return reason.replace(_CALLER, caller).replace(_CALLED, called)


def _printable(text: str) -> str:
    """Make what others have said fit for one line of the log."""
    return "".join(c if c.isprintable() else "?" for c in text[:_REASON_MAX])
