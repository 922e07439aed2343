"""The greeting: the right nodes get through however it is cut, and nobody else, whatever he has overheard."""

from __future__ import annotations

import hmac
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
ONE = Identity(me=1, inc=11, nodes=NODES, secrets=(SECRET,))
TWO = Identity(me=2, inc=22, nodes=NODES, secrets=(SECRET,))
THREE = Identity(me=3, inc=33, nodes=NODES, secrets=(SECRET,))

each_secret = pytest.mark.parametrize("secret", [b"", SECRET], ids=["open", "secret"])


def _some(*secrets: bytes) -> tuple[bytes, ...]:
    return tuple(filter(None, secrets))


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
    """Why this node turns that one away: what the called end says, and the other one reads with names in it."""
    incoming, outgoing = _called(called), _caller(caller, to)
    with pytest.raises(PeerError) as error:
        _Line(outgoing, incoming)
    assert incoming.node is None
    assert outgoing.receive(incoming.unsaid) == b""
    assert not outgoing.welcome
    said = str(error.value)
    names = said.replace("the caller", caller.name(caller.me)).replace("the called node", caller.name(to))
    assert outgoing.reason == names
    return said


# --- who gets through


@each_secret
def test_nodes_that_agree_let_each_other_in(secret: bytes) -> None:
    one, two = attrs.evolve(ONE, secrets=_some(secret)), attrs.evolve(TWO, secrets=_some(secret))
    line = _Line(_caller(two), _called(one))
    assert line.caller.welcome
    assert (line.called.node, line.called.inc) == (2, 22)
    assert line.called.receive(b"".join(map(encode, MESSAGES))) == MESSAGES


@each_secret
@given(places=st.lists(st.integers(0, 10_000), max_size=30))
def test_wherever_a_greeting_is_cut_it_comes_to_the_same(secret: bytes, places: list[int]) -> None:
    called = _called(attrs.evolve(ONE, secrets=_some(secret)))
    caller = _caller(attrs.evolve(TWO, secrets=_some(secret)))
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
        (
            SECRET,
            b"another secret of 16",
            "the --secret-file of the caller differs from that of the called node",
        ),
        (SECRET, b"", "the caller has no --secret-file, the called node has one"),
        (b"", SECRET, "the caller has a --secret-file, the called node has none"),
    ],
    ids=["differs", "caller has none", "called has none"],
)  # fmt: skip
def test_nodes_whose_secrets_differ_turn_each_other_away(called: bytes, caller: bytes, reason: str) -> None:
    told = _turned_away(attrs.evolve(ONE, secrets=_some(called)), attrs.evolve(TWO, secrets=_some(caller)))
    assert told == f"{reason}; give all nodes the same file"


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        (
            attrs.evolve(TWO, nodes=NODES[:2]),
            "--nodes differs: 10.0.0.3:11211 is missing in that of the caller",
        ),
        (attrs.evolve(TWO, nodes=NODES[::-1]), "--nodes differs: the same nodes in another order"),
        (
            attrs.evolve(TWO, nodes=[*NODES[1:], "a\nb:1"]),
            "--nodes differs: a?b:1 is missing in that of the called node; 10.0.0.1:11211 is missing in "
            "that of the caller",
        ),
        (attrs.evolve(TWO, me=1), "the caller claims to be node 1 of the list"),
        (attrs.evolve(TWO, me=0), "the caller claims to be node 0 of the list"),
        (attrs.evolve(TWO, me=4), "the caller claims to be node 4 of the list"),
        (attrs.evolve(TWO, terms="majority"), "the caller runs with majority, the called node with "),
    ],
)
@each_secret
def test_a_caller_that_disagrees_is_turned_away_and_told_why(
    secret: bytes, caller: Identity, reason: str
) -> None:
    one, caller = attrs.evolve(ONE, secrets=_some(secret)), attrs.evolve(caller, secrets=_some(secret))
    assert _turned_away(one, caller).startswith(reason)


def test_of_the_terms_only_those_that_differ_are_told() -> None:
    one = attrs.evolve(ONE, terms="--partition available --failure-timeout 2")
    two = attrs.evolve(TWO, terms="--partition available --failure-timeout 3")
    told = "the caller runs with --failure-timeout 3, the called node with --failure-timeout 2"
    assert _turned_away(one, two) == told


def test_who_is_turned_away_reads_which_node_has_what_in_names() -> None:
    called, caller = _called(ONE), _caller(attrs.evolve(TWO, nodes=NODES[:2]))
    with pytest.raises(PeerError):
        _Line(caller, called)
    assert caller.receive(called.unsaid) == b""
    assert caller.reason == f"--nodes differs: {NODES[2]} is missing in that of {NODES[1]}"


@pytest.mark.parametrize("to", [0, 3, 4])
def test_a_caller_that_meant_somebody_else_is_told_whom_it_has_reached(to: int) -> None:
    wanted = NODES[2] if to == 3 else "?"
    assert _turned_away(ONE, TWO, to).startswith(f"the caller calls {wanted}, but has reached {NODES[0]}; ")


def _hello(caller: Outgoing, called: Incoming, **changes: object) -> bytes:
    """This caller's Hello with something changed in it, its proof left as it was."""
    said = caller.receive(called.unsaid)
    hello = msgspec.msgpack.decode(said[4:], type=Hello)
    return encode(replace(hello, **changes))


@pytest.mark.parametrize("wire", [0, WIRE_VERSION - 1, WIRE_VERSION + 1])
def test_another_version_is_turned_away_whatever_else_its_greeting_says(wire: int) -> None:
    called = _called()
    older = "the caller" if wire < WIRE_VERSION else "the called node"
    spoken = f"the caller speaks version {wire} of the nodes' protocol, the called node version {WIRE_VERSION}"
    with pytest.raises(PeerError, match=f"^{spoken}; upgrade {older}$"):
        called.receive(_hello(_caller(), called, wire=wire, nodes=[], proof=b""))
    called = _called()
    body = b"\x93\xa5hello" + bytes([wire]) + b"\xc0"
    with pytest.raises(PeerError, match=r"^the caller speaks version"):
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
    with pytest.raises(PeerError, match=r"^the --secret-file of the caller differs"):
        called.receive(_hello(_caller(), called, **changes))
    assert called.node is None


@each_secret
def test_a_later_release_that_says_more_of_itself_is_let_in(secret: bytes) -> None:
    """A node that is upgraded must not read that its secret is another one."""
    called = _called(attrs.evolve(ONE, secrets=_some(secret)))
    said = ["hello", WIRE_VERSION, 2, 1, TWO.inc, TWO.nodes, TWO.terms, _nonce(), b"", {"more": [1, "x"]}]
    nonce = msgspec.msgpack.decode(called.unsaid[4:])[1]
    if secret:
        said[8] = hmac.digest(secret, msgspec.msgpack.encode(("caller", nonce, said)), "sha256")
    body = msgspec.msgpack.encode(said)
    called.receive(len(body).to_bytes(4, "big") + body)
    assert called.node == 2
    if secret:
        changed = _called(ONE)
        said[9] = {"more": [2, "x"]}
        body = msgspec.msgpack.encode(said)
        with pytest.raises(PeerError, match=r"^the --secret-file of the caller differs"):
            changed.receive(len(body).to_bytes(4, "big") + body)


def test_with_a_secret_strangers_learn_nothing_of_what_this_node_runs_with() -> None:
    stranger = Identity(me=2, inc=1, nodes=["x:1"], terms="y", secrets=(b"a guess of 16 bytes",))
    assert "10.0.0" not in _turned_away(attrs.evolve(ONE, terms="majority"), stranger)


# --- what overhearing is worth


def test_a_greeting_that_was_overheard_is_worth_nothing_later() -> None:
    overheard = _Line(_caller(), _called()).to_called[0]
    called = _called()
    with pytest.raises(PeerError, match=r"^the --secret-file of the caller differs"):
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
    with pytest.raises(PeerError, match=r"^the caller claims to be node 1 of the list"):
        called.receive(hello)


def test_a_proof_that_was_meant_for_one_node_cannot_be_carried_to_another() -> None:
    """Somebody sits at node 3's address and hands on to node 1 what node 2 says to him."""
    called, caller = _called(ONE), _caller(TWO, to=3)
    with pytest.raises(
        PeerError, match=r"^the caller calls 10\.0\.0\.3:11211, but has reached 10\.0\.0\.1:11211"
    ):
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
    caller = _caller(attrs.evolve(TWO, secrets=()))
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


# --- secrets that are changed

OLD, NEW = b"an old secret of 16", b"a new secret of 16 "


def _with(identity: Identity, *secrets: bytes) -> Identity:
    return attrs.evolve(identity, secrets=secrets)


@pytest.mark.parametrize(
    ("before", "after"),
    [([OLD], [OLD, NEW]), ([OLD, NEW], [NEW, OLD]), ([NEW, OLD], [NEW])],
    ids=["the new one is taken", "the new one is proved", "the old one has gone"],
)
def test_in_each_of_the_three_steps_those_who_have_made_it_and_those_who_have_not_let_each_other_in(
    before: list[bytes], after: list[bytes]
) -> None:
    for called, caller in ((before, after), (after, before), (before, before), (after, after)):
        line = _Line(_caller(_with(TWO, *caller)), _called(_with(ONE, *called)))
        assert line.caller.welcome and line.called.node == 2


def test_a_secret_that_has_gone_lets_nobody_in_any_more() -> None:
    told = _turned_away(_with(ONE, NEW), _with(TWO, OLD))
    assert (
        told
        == "the --secret-file of the caller differs from that of the called node; give all nodes the same file"
    )


def test_who_knows_only_the_old_secret_does_not_pass_for_the_node_that_is_called() -> None:
    """He may call, until the old one is taken out; but nobody who proves the new one is answered by the old."""
    nonce = b"n" * NONCE_BYTES
    caller = Outgoing(_with(TWO, NEW, OLD), 1, nonce)
    twin = Outgoing(_with(TWO, OLD), 1, nonce)  # greets in the same words, and proves the old one
    impostor = _called(_with(ONE, OLD))
    challenge = impostor.unsaid
    caller.receive(challenge)
    impostor.receive(twin.receive(challenge))
    twin.receive(impostor.unsaid)
    assert twin.welcome
    with pytest.raises(PeerError, match="does not prove"):
        caller.receive(impostor.unsaid)
    assert not caller.welcome
