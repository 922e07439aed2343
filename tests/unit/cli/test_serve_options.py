"""What `memrep serve` makes of the options, without a process: each ends up where the daemon looks for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from memrep.addresses import Address
from memrep.cli.given import checked
from memrep.cli.serve import named, serve_command
from memrep.daemon.options import ServeOptions
from memrep.daemon.serve import warning_of_strangers
from memrep.errors import UsageError
from memrep.php.options import PhpOptions
from tests.harness.certificates import Authority


def _options(*arguments: str) -> ServeOptions:
    """The checked options that these arguments make, without any environment."""
    return checked(named(_given(*arguments)))


def _given(*arguments: str) -> dict[str, Any]:
    return serve_command.make_context("serve", list(arguments), auto_envvar_prefix=None).params


def test_each_option_that_is_declared_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for memcached's -W: what it forbids is refused without it."""
    asked: set[str] = set()

    class Watched(SimpleNamespace):
        def __getattribute__(self, name: str) -> Any:
            asked.add(name)
            return super().__getattribute__(name)

    monkeypatch.setattr("memrep.cli.given.SimpleNamespace", Watched)
    given = named(_given())
    checked(given)
    assert given.keys() - asked == {"disable_watch"}


def test_php_is_provided_for_and_partitions_do_not_stop_anybody_unless_told_otherwise() -> None:
    options = _options()
    assert options.node.php_options == PhpOptions(on=True, prefixes=(b"memc.sess.key.lock.",))
    assert not options.node.strict


def test_a_majority_can_be_demanded() -> None:
    assert _options("--partition", "majority").node.strict
    assert not _options("--partition", "available").node.strict


def test_php_can_be_left_alone() -> None:
    assert _options("--php").node.php_options.on
    assert not _options("--no-php").node.php_options.on


def test_an_option_of_earlier_versions_changes_nothing() -> None:
    assert _options("--pecl-walk", "on") == _options()


def test_how_locks_begin_can_be_told_several_at_a_time_or_none() -> None:
    assert _options("--lock-prefix", "a.lock.").node.php_options.prefixes == (b"a.lock.",)
    assert _options("--lock-prefix", "a.lock.,b.lock.,").node.php_options.prefixes == (b"a.lock.", b"b.lock.")
    assert _options("--lock-prefix", "").node.php_options.prefixes == ()


def test_memcacheds_options_for_what_is_not_obeyed_are_taken() -> None:
    options = _options()
    assert (options.node.flush_all, options.node.lists) == (True, True)
    for short, long in (("-F", "--disable-flush-all"), ("-X", "--disable-dumping"), ("-W", "--disable-watch")):
        for word in (short, long):
            options = _options(word)
            assert (options.node.flush_all, options.node.lists) == (short != "-F", short != "-X")
    options = _options("-FXW")
    assert (options.node.flush_all, options.node.lists) == (False, False)


def test_an_operator_can_ask_at_a_place_of_the_nodes_own_or_at_one_that_is_named_or_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    where = _options("-p", "11213").admin
    assert where is not None
    assert (where.path, where.named) == ("/run/user/1000/memrep/127.0.0.1_11213.sock", False)
    where = _options("--admin", "/srv/a.sock").admin
    assert where is not None
    assert (where.path, where.named) == ("/srv/a.sock", True)
    assert _options("--admin", "none").admin is _options("--admin", "").admin is None


def test_a_node_is_told_of_by_http_nowhere_unless_the_operator_says_where() -> None:
    assert _options().http is None
    assert _options("--http", "31211").http == Address("127.0.0.1", 31211)
    assert _options("--http", "127.0.0.2:31211").http == Address("127.0.0.2", 31211)
    for port in ("11211", "21211", "6379"):
        with pytest.raises(UsageError, match=f"--http {port}: this node has another use for that port"):
            _options("--redis", "6379", "--http", port)


def test_times_are_told_in_seconds() -> None:
    options = _options("--failure-timeout", "1.25", "--cold-start", "30", "--drain", "0")
    assert (options.node.timing.silence, options.node.timing.cold_start, options.drain_ms) == (1_250, 30_000, 0)


def test_the_secret_is_what_the_file_holds(tmp_path: Path) -> None:
    assert _options().node.secrets == ()
    path = tmp_path / "secret"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o600)
    options = _options("--secret-file", str(path))
    assert options.node.secrets == (b"0123456789abcdef",)
    assert "0123456789abcdef" not in repr(options)


def test_clients_are_spoken_to_in_the_clear_unless_there_is_a_certificate(tmp_path: Path) -> None:
    assert _options().certificate is None
    cert, key = Authority(tmp_path).issue("node")
    certificate = _options("--tls-cert", str(cert), "--tls-key", str(key)).certificate
    assert certificate is not None
    assert certificate.path == str(cert)


def test_whoever_faces_strangers_is_told_what_is_still_to_be_done(tmp_path: Path) -> None:
    nodes = ["--nodes", "8.8.8.8:11211,8.8.4.4:11211", "--self", "8.8.8.8:11211", "--listen"]
    assert warning_of_strangers(_options(*nodes, "10.1.1.1")) is None
    cert, key = Authority(tmp_path).issue("node")
    secret, users = tmp_path / "secret", tmp_path / "users"
    secret.write_text("0123456789abcdef")
    users.write_text("web:password")
    users.chmod(0o600)
    secret.chmod(0o600)
    given = {
        "--auth-file": ["--auth-file", str(users)],
        "--tls-cert": ["--tls-cert", str(cert), "--tls-key", str(key)],
        "--secret-file": ["--secret-file", str(secret)],
    }
    for listen in ("8.8.8.8", "0.0.0.0", "::"):
        for left_out in given:
            others = [word for name, words in given.items() if name != left_out for word in words]
            said = str(warning_of_strangers(_options(*nodes, listen, *others)))
            assert said.startswith(f"strangers can reach {listen}: let a firewall admit only the pool")
            assert [name for name in given if name in said] == [left_out]
    assert "--secret-file" not in str(warning_of_strangers(_options("--listen", "0.0.0.0")))


def test_redis_clients_find_nodes_as_the_operator_says() -> None:
    node = _options().node
    assert (node.redis_address, node.redis_masters, node.redis_cluster) == (None, (b"mymaster",), False)
    said = ("--redis", "6379", "--redis-announce", "web1", "--redis-masters", "a,b", "--redis-cluster")
    node = _options(*said).node
    assert node.redis_address == Address("web1", 6379)
    assert (node.redis_masters, node.redis_cluster) == ((b"a", b"b"), True)
