"""Which node is meant, how fast it goes, and what is told at the end or when a server stops answering."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from memrep.cli import moving
from memrep.cli.moving import MoveOptions, NodeOptions
from memrep.errors import UsageError
from memrep.handlers.item import STORED, Item, LeftOut
from memrep.handlers.places import Server
from memrep.move.connection import UnansweredError
from memrep.move.node import NodePorts
from tests.unit.cli.admin_socket import admin_socket
from tests.unit.status.clusters import cluster

MOVE = MoveOptions(only_missing=False, dry_run=False, rate=None)


def _given(**values: str) -> NodeOptions:
    get = values.get
    return NodeOptions(
        node=get("node"), redis=get("redis"), user=get("user", ""), password_file=get("password_file"),
        admin=get("admin"), config=get("config"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("redis", "server"),
    [
        ("6379", Server("10.1.1.1", 6379)),
        ("127.0.0.1:6380", Server("127.0.0.1", 6380)),
        ("0.0.0.0:6379", Server("127.0.0.1", 6379)),
        ("[::]:6379", Server("127.0.0.1", 6379)),
        ("[::1]:6379", Server("::1", 6379)),
    ],
)
def test_the_port_for_redis_clients_is_as_serve_was_given_it(redis: str, server: Server) -> None:
    assert moving.ports(_given(node="10.1.1.1:11211", redis=redis)) == NodePorts(
        Server("10.1.1.1", 11211), server
    )


def test_without_a_name_the_node_is_the_one_that_runs_here(tmp_path: Path) -> None:
    status = cluster()
    with admin_socket(tmp_path / "admin.sock", status):
        ports = moving.ports(_given(admin=str(tmp_path / "admin.sock")))
    assert str(ports.memcached) == status.asked


def test_the_nodes_own_file_tells_its_port_for_redis_clients(tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text('redis = "127.0.0.1:6379"\n')
    ports = moving.ports(_given(node="10.1.1.1:11211", config=str(config)))
    assert ports.redis == Server("127.0.0.1", 6379)


def test_a_user_and_his_password_belong_together(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pass word\nmore\n")
    ports = moving.ports(_given(node="one:1", redis="2", user="me", password_file=str(secret)))
    assert ports.redis is not None
    assert {(each.user, each.password) for each in (ports.memcached, ports.redis)} == {("me", "pass word")}
    with pytest.raises(UsageError, match="belong together"):
        moving.ports(_given(node="one:1", user="me"))
    secret.write_text("\n")
    for path in (secret, tmp_path / "none"):
        with pytest.raises(UsageError, match="--password-file"):
            moving.ports(_given(node="one:1", user="me", password_file=str(path)))


class _Breaks:
    """A source that has a hundred items, and then, if told so, no connection any more."""

    def __init__(self, *ends: Exception) -> None:
        self._ends = ends

    def count(self) -> int:
        return 100

    def read(self) -> Iterator[Item | LeftOut]:
        yield from (Item(b"%d" % number, b"x") for number in range(100))
        for end in self._ends:
            raise end

    def close(self) -> None:
        pass


class _Takes:
    """A target that takes all."""

    def write(self, items: list[Item]) -> list[str]:
        return [STORED] * len(items)

    def close(self) -> None:
        pass


def test_what_was_done_before_a_server_fell_silent_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    source = _Breaks(UnansweredError("one:1 has closed the connection"))
    assert moving.run(lambda stack: (source, _Takes()), lambda item: item, MOVE) == 3
    said = capfd.readouterr()
    assert said.err == "memrep: one:1 has closed the connection; 100 were done, and it may be done again\n"


@pytest.mark.parametrize(("is_loss", "status"), [(True, 1), (False, 0)])
def test_the_exit_status_tells_of_losses(is_loss: bool, status: int, capfd: pytest.CaptureFixture[str]) -> None:
    done = moving.run(lambda stack: (_Breaks(), _Takes()), lambda item: LeftOut("odd", is_loss=is_loss), MOVE)
    assert done == status
    assert capfd.readouterr() == ("100 found, 0 written (0 bytes), 100 left out: 100 odd\n", "")


def test_at_a_terminal_a_bar_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert moving.run(lambda stack: (_Breaks(), _Takes()), lambda item: item, MOVE) == 0
    said = capfd.readouterr()
    assert said.out == "100 found, 100 written (100 bytes)\n"
    assert "100/100  100%" in said.err


def test_options_of_both_kinds_are_taken_out_of_the_others() -> None:
    @click.command
    @moving.options
    def command() -> None:
        """Do nothing."""

    names = {parameter.name for parameter in command.params}
    assert names == {*NodeOptions.__struct_fields__, *MoveOptions.__struct_fields__}
