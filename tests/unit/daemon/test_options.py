"""What the daemon was told: what nobody says is the owner's default, and what is secret is shown to nobody."""

from __future__ import annotations

import attrs
import pytest

from memrep.addresses import Address
from memrep.cli.serve import serve_command
from memrep.daemon.options import ServeOptions
from memrep.node.options import NodeOptions

ME = Address("127.0.0.1", 11211)


def _options() -> ServeOptions:
    return ServeOptions(node=NodeOptions(), nodes=[ME], me=ME, listen=ME.host, port=ME.port)


def test_the_command_line_has_the_defaults_of_the_options_owners() -> None:
    given = serve_command.make_context("serve", [], auto_envvar_prefix=None).params
    options = _options()
    assert given["connections"] == options.connections
    assert given["drain"] * 1000 == options.drain_ms
    assert given["memory"] << 20 == options.node.memory
    assert given["item_size_max"] == options.node.item_max
    assert given["failure_timeout"] * 1000 == options.node.timing.silence


def test_a_secret_is_not_told_by_who_prints_the_options() -> None:
    options = _options()
    assert "tell nobody" not in repr(
        attrs.evolve(options, node=attrs.evolve(options.node, secrets=(b"tell nobody",)))
    )


def test_options_do_not_change_while_a_node_runs() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        _options().port = 1  # type: ignore[misc]
