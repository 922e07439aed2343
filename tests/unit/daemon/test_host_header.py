"""A request is answered if it means this machine, and not if it means whatever a page calls this machine."""

from __future__ import annotations

import pytest

from memrep.daemon.host_header import HostCheck
from memrep.daemon.http_exchange import Answer, Request, one_line

CHECK = HostCheck(["Web1.example.org.", "web1", "10.1.1.1", ""], lambda request: one_line(200, "ok"))


def _ask(target: str = "/ready", **headers: str) -> Answer:
    answer = CHECK.handle(Request(method="GET", target=target, headers=headers, body=b""))
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:31211",
        "203.0.113.7:80",
        "[::1]",
        "[fd00::1]:31211",
        "localhost",
        "LOCALHOST:31211",
        "localhost.",
        "web1",
        "web1.example.org:31211",
        "WEB1.EXAMPLE.ORG.:31211",
    ],
)
def test_an_address_or_a_name_of_this_machine_is_answered(host: str) -> None:
    assert _ask(host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:31211",
        "web1.evil.example",
        "evil.localhost.example",
        "127.0.0.1.evil.example",
        "localhost:31211:80",
        "localhost@evil.example",
        "[::1",
        "[localhost]",
        "127.0.0.1, evil.example",
        "evil.example, 127.0.0.1",
    ],
)
def test_any_other_one_is_refused_and_told_the_names(host: str) -> None:
    answer = _ask(host=host)
    assert answer.status == 421
    assert (
        answer.body
        == b"ask by an IP address, or by a name of this machine: 10.1.1.1 localhost web1 web1.example.org\n"
    )


def test_a_host_before_the_path_counts_as_much() -> None:
    assert _ask("http://localhost/ready", host="localhost").status == 200
    assert _ask("http://evil.example/ready", host="localhost").status == 421
    assert _ask("http://localhost/ready", host="evil.example").status == 421


def test_a_probe_of_http_1_0_names_none() -> None:
    assert _ask().status == 200
