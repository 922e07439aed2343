"""The long search is worth something: it begins where the parsers are, and notices when one is wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

from memrep.protocol.memcached.text import commands
from memrep.protocol.memcached.text.commands import Text
from tests.fuzz import grammar, reference, seeds
from tests.fuzz.__main__ import main
from tests.fuzz.target import KINDS, check, pieces, said

#: One in so many of the inputs with which a search begins is tried here.
_SAMPLE = 15


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wrong_with_what_a_search_begins_with(kind: str, tmp_path: Path) -> None:
    count = seeds.write_corpus(kind, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == count > 20
    for file in files[::_SAMPLE]:
        check(kind, file.read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_the_modes_say_commands_by_the_grammar(kind: str) -> None:
    choices = bytes(range(1, 200))
    assert said(kind, b"\0\0\0\0\0" + choices) == choices
    talk = said(kind, b"\1\0\0\0\0" + choices)
    assert talk != choices
    assert len(talk) > 100


def test_what_is_said_comes_in_the_pieces_that_the_input_asks_for() -> None:
    assert pieces("text", b"\0\0\x40\x80\0" + b"version\r\n") == [b"ve", b"rs", b"ion\r\n"]


def test_an_input_of_nothing_says_nothing() -> None:
    check("text", b"")


def test_a_parser_that_loses_its_place_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = b"set a 0 0 5\r\nvalue\r\nget a\r\n"
    check("text", b"\0\x80\x90\0\0" + talk)
    monkeypatch.setattr(Text, "oversized", lambda self, inbox: inbox.startswith(b"set"))
    with pytest.raises(AssertionError, match="in the pieces"):
        check("text", b"\0\x20\x90\0\0" + talk)


def test_a_parser_that_raises_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(commands, "_swallow")
    with pytest.raises(NameError):
        check("text", b"\0\0\0\0\0" + b"set a 0 0 5000\r\nvalue\r\n")


# --- the comparison with memcached


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"VALUE a 0 1 17\r\nx\r\nEND\r\n", b"VALUE a 0 1 1876951040000000257\r\nx\r\nEND\r\n"),
        (b"HD c17000 t30\r\n", b"HD c1876951040000000257 t29\r\n"),
        (b"VERSION 1.6.18\r\n", b"VERSION 1.6.18-memrep-1\r\n"),
        (b"ME a exp=-1 la=0 cas=17 fetch=no cls=1 size=63\r\n", b"ME YQ== size=533\r\n"),
    ],
)
def test_what_each_server_may_choose_is_equal(one: bytes, other: bytes) -> None:
    assert reference.equalled(one, b"text") == reference.equalled(other, b"text")


def test_binary_uniques_are_equal_but_not_to_none() -> None:
    one, other, none = (
        grammar.HEADER.pack(0x81, 0x01, 0, 0, 0, 0, 0, 7, unique) for unique in (17, 1 << 60, 0)
    )
    assert reference.equalled(one, b"\x80") == reference.equalled(other, b"\x80")
    assert reference.equalled(one, b"\x80") != reference.equalled(none, b"\x80")


@pytest.mark.parametrize(
    ("talk", "listed"),
    [
        (b"set a 0 0 1\r\nx\r\nget a\r\n", False),
        (b"set a 0 0 1\r\nx\n", True),
        (b"set a 0 0 2\r\nx\r\n", True),
        (b"get %b\r\n" % (b"k" * 251), True),
        (b"ms a 1 T30 MA\r\nx\r\n", False),
        (b"ms a 1 E30\r\nx\r\n", True),
        (b"mg YQ== b v\r\nmg a k\r\n", True),
        (b"flush_all\r\nflush_all 10\r\n", True),
        (grammar.packet(0x00, b"a"), False),
        (grammar.packet(0x10, b"a"), True),
        (grammar.packet(0x50, b"a"), True),
    ],
)
def test_listed_differences_are_known(talk: bytes, listed: bool) -> None:
    assert reference.is_listed(talk) is listed


@pytest.mark.parametrize(
    ("talk", "unfinished"),
    [
        (b"version\r\n", False),
        (b"version\r", True),
        (b"set a 0 0 5\r\nx\r\n", True),
        (grammar.packet(0x00, b"a"), False),
        (grammar.packet(0x00, b"a")[:-1], True),
    ],
)
def test_what_is_not_all_there_is_known(talk: bytes, unfinished: bool) -> None:
    assert reference.is_unfinished(talk) is unfinished


# --- the command


def test_without_atheris_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    run = CliRunner().invoke(main, ["--minutes", "0.01"])
    assert run.exit_code == 1
    assert run.output.count("\n") == 1
    assert "atheris" in run.output


def test_what_was_found_can_be_replayed(tmp_path: Path) -> None:
    found = tmp_path / "crash"
    found.write_bytes(b"\0\x80\0\0\0version\r\n")
    run = CliRunner().invoke(main, ["--replay", "text", str(found)])
    assert run.exit_code == 0, run.output
    assert "> b'vers'" in run.output
