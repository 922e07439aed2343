"""Errors: the kind says whose fault it is, so nobody is blamed for another's, and the text says all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import memrep
from memrep.errors import AbsentError, PeerError, UsageError
from memrep.protocol.users import parse_users
from memrep.replication.wire import decode

ROOT = Path(memrep.__file__).parent


def _said(kind: type[Exception]) -> Iterator[tuple[str, str]]:
    """Each text that memrep gives an error of this kind, as far as it is written down: place, text."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == kind.__name__:
                parts = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
                text = "".join(part.value for part in parts if isinstance(part.value, str))
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def test_who_expects_one_ones_mistake_does_not_catch_anothers() -> None:
    """Nor those of the system, of Python, or our own: they are told otherwise, or stop the program."""
    kinds = [PeerError, UsageError, OSError, ValueError, LookupError, RuntimeError, AssertionError]
    for kind in (PeerError, UsageError):
        assert [other for other in kinds if issubclass(kind, other) or issubclass(other, kind)] == [kind]


@pytest.mark.parametrize("kind", [PeerError, UsageError, AbsentError])
def test_every_text_is_one_line(kind: type[Exception]) -> None:
    said = dict(_said(kind))
    assert len(said) > 5
    assert not {place: text for place, text in said.items() if not text.isprintable()}


@pytest.mark.parametrize("data", [b"\0\0\0\1\xc1", b"\xff\xff\xff\xff", b"\0\0\0\5hello"])
def test_what_a_peer_sends_wrongly_is_a_peers_mistake_with_a_reason(data: bytes) -> None:
    with pytest.raises(PeerError, match=r"^a message .+"):
        decode(data)


@pytest.mark.parametrize("text", [b"", b"\n\n", b"nobody", b"a:b\n:c\n"])
def test_what_an_operator_has_written_wrongly_is_an_operators_mistake_that_names_the_place(text: bytes) -> None:
    with pytest.raises(UsageError, match=r"^--auth-file /etc/users\b.+$"):
        parse_users(text, "/etc/users")
