"""What is given is checked for a node that runs as it was at the start, and only what may change is others."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from memrep.cli.given import checked, with_changeable
from memrep.cli.serve import named, serve_command
from memrep.daemon.reloadable import OPTIONS
from memrep.errors import UsageError
from memrep.events import Level


def _given(*arguments: str) -> dict[str, Any]:
    return named(serve_command.make_context("serve", list(arguments), auto_envvar_prefix=None).params)


def test_what_may_change_is_what_is_given_and_all_else_is_as_it_was() -> None:
    before = checked(_given("-p", "11300", "-m", "64"))
    now = with_changeable(
        before,
        _given("-p", "11400", "-m", "32", "-c", "7", "-I", "2m", "--drain", "3", "-v", "--log-format", "json"),
    )
    assert (now.node.memory, now.connections, now.node.item_max, now.drain_ms) == (32 << 20, 7, 2 << 20, 3_000)
    assert (now.log_level, now.log_json) == (Level.DEBUG, True)
    assert (now.port, now.me) == (before.port, before.me)


def test_what_does_not_fit_together_is_refused_as_at_the_start() -> None:
    before = checked(_given())
    with pytest.raises(UsageError, match="must be from 1k to half of -m"):
        with_changeable(before, _given("-I", "40m"))


def test_an_option_is_taken_anew_if_and_only_if_the_table_says_so() -> None:
    """Of those that need no file: each is given another value, and either all comes of that, or nothing."""
    values = {
        "memory": "32", "connections": "7", "item_size_max": "2m", "drain": "3", "log_level": "error",
        "log_format": "json", "failure_timeout": "3", "cold_start": "3", "partition": "majority",
        "lock_prefix": "lock.", "unix": "/nowhere", "redis_masters": "another", "redis_announce": "web:1",
        "port": "11400", "http": "31211", "redis": "6379", "admin": "none",
    }  # fmt: skip
    flags = {
        "redis_no_keys", "redis_cluster", "disable_flush_all", "disable_dumping", "enable_shutdown", "verbose",
    }  # fmt: skip
    before = checked(_given())
    for name, needs in OPTIONS.items():
        if name in values or name in flags:
            option = f"--{name.replace('_', '-')}"
            given = _given(option, values[name]) if name in values else _given(option)
            assert (with_changeable(before, given) != before) == (not needs), name


def test_the_same_makes_the_same() -> None:
    before = checked(_given())
    assert attrs.asdict(with_changeable(before, _given())) == attrs.asdict(before)
