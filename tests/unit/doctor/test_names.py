"""Which addresses the names stand for is told, and what would mislead the others."""

from __future__ import annotations

import socket

import pytest

from memrep.addresses import Address
from memrep.daemon.names import Endpoint
from memrep.doctor import names as room
from memrep.doctor.finding import Finding
from memrep.doctor.names import names

WEB1, WEB2 = Address("web1", 11211), Address("web2", 11211)


def _names(monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]], nodes: list[Address]) -> list[Finding]:
    def look_up(host: str) -> list[Endpoint]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [Endpoint(socket.AF_INET, (address, 0)) for address in known[host]]

    monkeypatch.setattr(room, "look_up", look_up)
    monkeypatch.setattr(room, "is_own", lambda host: host == "web1")
    return list(names(nodes, WEB1))


def test_each_name_is_told_with_all_that_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"web1": ["10.1.1.1"], "web2": ["10.2.2.2", "fd00::2"]}
    assert [(found.verdict, found.text) for found in _names(monkeypatch, known, [WEB1, WEB2])] == [
        ("ok", "web1 is this node, and stands for 10.1.1.1"),
        ("ok", "web2 is another node, and stands for 10.2.2.2, fd00::2"),
    ]


def test_a_name_that_nobody_knows_is_told_with_where_to_correct_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, other = _names(monkeypatch, {"web1": ["10.1.1.1"]}, [WEB1, WEB2])
    assert other.verdict == "wrong"
    assert other.text == "web2 (another node) stands for no address here: Name or service not known"
    assert other.remedy.startswith("correct /etc/hosts or DNS")


def test_a_name_that_stands_for_loopback_is_wrong_where_there_are_other_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"web1": ["127.0.1.1"], "web2": ["10.2.2.2"]}
    own, other = _names(monkeypatch, known, [WEB1, WEB2])
    assert (own.verdict, other.verdict) == ("wrong", "ok")
    assert "take it out of that line of /etc/hosts" in own.remedy
    (alone,) = _names(monkeypatch, known, [WEB1])
    assert alone.verdict == "ok", "a trial on one machine"
