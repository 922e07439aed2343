"""The greeting: the right nodes get through however it is cut, and nobody else, whatever he has overheard."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memrep.errors import PeerError
from memrep.replication.handshake import (
    NONCE_BYTES,
    Challenge,
    Hello,
    Identity,
    Incoming,
    Outgoing,
    Sorry,
    Welcome,
)
from memrep.replication.message import Ack, PeerMessage, Propose
from memrep.replication.wire import WIRE_VERSION, encode
from tests.unit.replication.test_wire import MESSAGES, cut

NODES = ["10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"]
SECRET = b"correct horse battery staple"
ONE = Identity(me=1, inc=11, nodes=NODES, secret=SECRET)
TWO = Identity(me=2, inc=22, nodes=NODES, secret=SECRET)
THREE = Identity(me=3, inc=33, nodes=NODES, secret=SECRET)

each_secret = pytest.mark.parametrize("secret", [b"", SECRET], ids=["open", "secret"])


class _Line:
    """A caller, a called end, and what was said between them."""

    def __init__(self, caller: Outgoing, called: Incoming, change: Callable[[bytes], bytes] = bytes) -> None:
        self.caller = caller
        self.called = called
        self.to_called: list[bytes] = []
        self.to_caller: list[bytes] = []
        self.messages: list[PeerMessage] = []
        while True:
            said, called.unsaid = called.unsaid, b""
            if not said:
                return
            self.to_caller.append(said)
            answer = caller.receive(change(said))
            if answer:
                self.to_called.append(answer)
                self.messages += called.receive(change(answer))


_nonces = iter(range(1, 1 << 30))


def _nonce() -> bytes:
    return next(_nonces).to_bytes(NONCE_BYTES, "big")


def _called(identity: Identity = ONE) -> Incoming:
    return Incoming(identity, _nonce())


def _caller(identity: Identity = TWO, to: int = 1) -> Outgoing:
    return Outgoing(identity, to, _nonce())


def _turned_away(called: Identity, caller: Identity, to: int = 1) -> str:
    """Why this node turns that one away: what both sides are told."""
    incoming, outgoing = _called(called), _caller(caller, to)
    with pytest.raises(PeerError) as error:
        _Line(outgoing, incoming)
    assert incoming.node is None
    assert outgoing.receive(incoming.unsaid) == b""
    assert not outgoing.welcome
    assert outgoing.reason == str(error.value)
    return outgoing.reason


# --- who gets through


@each_secret
def test_nodes_that_agree_let_each_other_in(secret: bytes) -> None:
    one, two = attrs.evolve(ONE, secret=secret), attrs.evolve(TWO, secret=secret)
    line = _Line(_caller(two), _called(one))
    assert line.caller.welcome
    assert (line.called.node, line.called.inc) == (2, 22)
    assert line.called.receive(b"".join(map(encode, MESSAGES))) == MESSAGES


@each_secret
@given(places=st.lists(st.integers(0, 10_000), max_size=30))
def test_wherever_a_greeting_is_cut_it_comes_to_the_same(secret: bytes, places: list[int]) -> None:
    called = _called(attrs.evolve(ONE, secret=secret))
    caller = _caller(attrs.evolve(TWO, secret=secret))
    hello = b"".join(caller.receive(part) for part in cut(called.unsaid, places))
    messages = [
        message
        for part in cut(hello + b"".join(map(encode, MESSAGES)), places)
        for message in called.receive(part)
    ]
    assert messages == MESSAGES
    assert (called.node, called.inc) == (2, 22)
    for part in cut(called.unsaid, places):
        assert not caller.welcome
        assert caller.receive(part) == b""
    assert caller.welcome


def test_a_caller_is_not_welcome_before_the_called_end_has_proved_itself() -> None:
    caller = _caller()
    assert not caller.welcome
    assert caller.receive(encode(Challenge(_nonce())))
    assert not caller.welcome


# --- who does not


@pytest.mark.parametrize(
    ("called", "caller", "reason"),
    [
        (SECRET, b"another secret of 16", "its --secret-file differs from this node's"),
        (SECRET, b"", "the caller has no --secret-file, the called node has one"),
        (b"", SECRET, "the caller has a --secret-file, the called node has none"),
    ],
    ids=["differs", "caller has none", "called has none"],
)  # fmt: skip
def test_nodes_whose_secrets_differ_turn_each_other_away(called: bytes, caller: bytes, reason: str) -> None:
    told = _turned_away(attrs.evolve(ONE, secret=called), attrs.evolve(TWO, secret=caller))
    assert told == f"{reason}; give all nodes the same file"


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        (
            attrs.evolve(TWO, nodes=NODES[:2]),
            "its --nodes list is 10.0.0.1:11211,10.0.0.2:11211, this node's is " + ",".join(NODES),
        ),
        (attrs.evolve(TWO, nodes=NODES[::-1]), "its --nodes list is "),
        (attrs.evolve(TWO, nodes=["a\nb:1"]), "its --nodes list is a?b:1, this"),
        (attrs.evolve(TWO, me=1), "it claims to be node 1 of the list"),
        (attrs.evolve(TWO, me=0), "it claims to be node 0 of the list"),
        (attrs.evolve(TWO, me=4), "it claims to be node 4 of the list"),
        (attrs.evolve(TWO, terms="majority"), "it runs with majority, this node with "),
    ],
)
@each_secret
def test_a_caller_that_disagrees_is_turned_away_and_told_why(
    secret: bytes, caller: Identity, reason: str
) -> None:
    one, caller = attrs.evolve(ONE, secret=secret), attrs.evolve(caller, secret=secret)
    assert _turned_away(one, caller).startswith(reason)


@pytest.mark.parametrize("to", [0, 3, 4])
def test_a_caller_that_meant_somebody_else_is_told_whom_it_has_reached(to: int) -> None:
    wanted = NODES[2] if to == 3 else "?"
    assert _turned_away(ONE, TWO, to).startswith(f"it calls {wanted}, but this is {NODES[0]}; ")


def _hello(caller: Outgoing, called: Incoming, **changes: object) -> bytes:
    """This caller's Hello with something changed in it, its proof left as it was."""
    said = caller.receive(called.unsaid)
    hello = msgspec.msgpack.decode(said[4:], type=Hello)
    return encode(replace(hello, **changes))


@pytest.mark.parametrize("wire", [0, WIRE_VERSION - 1, WIRE_VERSION + 1])
def test_another_version_is_turned_away_whatever_else_its_greeting_says(wire: int) -> None:
    called = _called()
    with pytest.raises(PeerError, match=f"^it speaks version {wire} of the nodes' protocol, this node "):
        called.receive(_hello(_caller(), called, wire=wire, nodes=[], proof=b""))
    called = _called()
    body = b"\x93\xa5hello" + bytes([wire]) + b"\xc0"
    with pytest.raises(PeerError, match=r"^it speaks version"):
        called.receive(len(body).to_bytes(4, "big") + body)


@pytest.mark.parametrize(
    "changes",
    [
        {"node": 3}, {"to": 2}, {"inc": 23}, {"nodes": NODES[:2]}, {"terms": "x"},
        {"nonce": bytes(NONCE_BYTES)}, {"proof": b"x"}, {"proof": bytes(32)},
    ],
    ids=" ".join,
)  # fmt: skip
def test_with_a_secret_nothing_of_a_greeting_can_be_changed_on_the_way(changes: dict[str, object]) -> None:
    called = _called()
    with pytest.raises(PeerError, match=r"^its --secret-file differs"):
        called.receive(_hello(_caller(), called, **changes))
    assert called.node is None


def test_with_a_secret_strangers_learn_nothing_of_what_this_node_runs_with() -> None:
    stranger = Identity(me=2, inc=1, nodes=["x:1"], terms="y", secret=b"a guess of 16 bytes")
    assert "10.0.0" not in _turned_away(attrs.evolve(ONE, terms="majority"), stranger)


# --- what overhearing is worth


def test_a_greeting_that_was_overheard_is_worth_nothing_later() -> None:
    overheard = _Line(_caller(), _called()).to_called[0]
    called = _called()
    with pytest.raises(PeerError, match=r"^its --secret-file differs"):
        called.receive(overheard)


def test_a_welcome_that_was_overheard_is_worth_nothing_later() -> None:
    overheard = _Line(_caller(), _called()).to_caller[1]
    caller = _caller()
    caller.receive(encode(Challenge(_nonce())))
    with pytest.raises(PeerError, match=r"^it does not prove that it knows this node's --secret-file"):
        caller.receive(overheard)
    assert not caller.welcome


def test_nobodys_own_proof_can_be_sent_back_to_him() -> None:
    """A caller meets somebody who knows nothing but what the caller itself has just said."""
    caller = _caller()
    proof = caller.receive(encode(Challenge(_nonce())))[-32:]
    with pytest.raises(PeerError, match=r"^it does not prove"):
        caller.receive(encode(Welcome(proof)))


def test_a_node_that_is_called_cannot_be_answered_with_what_it_says_when_it_calls() -> None:
    called, calling = _called(ONE), _caller(ONE, to=2)
    hello = calling.receive(called.unsaid)
    with pytest.raises(PeerError, match=r"^it claims to be node 1 of the list"):
        called.receive(hello)


def test_a_proof_that_was_meant_for_one_node_cannot_be_carried_to_another() -> None:
    """Somebody sits at node 3's address and hands on to node 1 what node 2 says to him."""
    called, caller = _called(ONE), _caller(TWO, to=3)
    with pytest.raises(PeerError, match=r"^it calls 10\.0\.0\.3:11211, but this is 10\.0\.0\.1:11211"):
        called.receive(caller.receive(called.unsaid))


@pytest.mark.parametrize("proof", [b"", bytes(32)])
def test_a_caller_with_a_secret_trusts_nobody_who_does_not_prove_that_he_knows_it(proof: bytes) -> None:
    caller = _caller()
    caller.receive(encode(Challenge(_nonce())))
    with pytest.raises(PeerError, match=r"^it does not prove"):
        caller.receive(encode(Welcome(proof)))


# --- garbage


@pytest.mark.parametrize("message", [MESSAGES[1], Sorry("x"), Welcome(b""), Challenge(_nonce())])
def test_a_link_that_does_not_begin_with_a_greeting_is_turned_away(message: Ack | Sorry) -> None:
    with pytest.raises(PeerError, match="the greeting is not that of a memrep node"):
        _called().receive(encode(message))


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_instead_of_a_greeting_give_a_peer_error_or_nothing_yet(
    data: bytes, places: list[int]
) -> None:
    called = _called()
    try:
        for part in cut(data, places):
            assert called.receive(part) == []
    except PeerError as error:
        assert str(error)
    assert called.node is None


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_bodies_behind_a_greeting_give_messages_or_a_peer_error(bodies: list[bytes]) -> None:
    called = _called()
    called.receive(_caller().receive(called.unsaid))
    try:
        called.receive(b"".join(len(body).to_bytes(4, "big") + body for body in bodies))
    except PeerError as error:
        assert str(error).startswith("a message that cannot be read")


def test_a_greeting_must_be_short_and_later_messages_may_be_long() -> None:
    size = ((1 << 16) + 1).to_bytes(4, "big")
    with pytest.raises(PeerError, match="the greeting is not that of a memrep node"):
        _called().receive(size)
    called = _called()
    called.receive(_caller().receive(called.unsaid))
    assert called.receive(size) == []


@given(st.binary(max_size=100))
def test_any_answer_to_a_caller_is_a_reason_or_nothing_yet_or_a_peer_error(data: bytes) -> None:
    caller = _caller()
    try:
        assert caller.receive(data) == b""
    except PeerError as error:
        assert str(error)
    assert not caller.welcome


@pytest.mark.parametrize(
    "messages",
    [
        [Welcome(b"")],
        [Challenge(_nonce()), Challenge(_nonce())],
        [Challenge(_nonce()), Propose(1, {})],
    ],
)
def test_a_called_end_that_speaks_out_of_turn_is_hung_up_on(messages: list[PeerMessage]) -> None:
    caller = _caller(attrs.evolve(TWO, secret=b""))
    with pytest.raises(PeerError):
        caller.receive(b"".join(map(encode, messages)))
    assert not caller.welcome


def test_who_is_welcome_hears_nothing_any_more() -> None:
    line = _Line(_caller(), _called())
    for message in [Sorry("x"), Welcome(b""), Challenge(_nonce())]:
        with pytest.raises(PeerError, match="out of turn"):
            line.caller.receive(encode(message))


def test_a_reason_from_elsewhere_is_one_line_of_bounded_length() -> None:
    caller = _caller()
    caller.receive(encode(Sorry("a\r\nb" + "x" * 10_000)))
    assert caller.reason.startswith("a??bxxx")
    assert len(caller.reason) <= 4_096
    caller = _caller()
    caller.receive(encode(Sorry("")))
    assert caller.reason


def test_a_secret_is_not_shown_by_accident() -> None:
    assert SECRET.decode() not in repr(ONE)
