"""What is said at the start, and that a daemon which is not to be trusted is replaced, at the same place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs

from memrep.addresses import Address
from memrep.daemon.options import ServeOptions
from memrep.daemon.serve import warning_of_strangers
from memrep.protocol.users import Users
from tests.real.processes import HOST

# --- from start to end

#: Serves at this port a node that could be replaced, and that fails once it serves, as often as it is told to;
#: then ends itself.
CHILD: Final = """
import os, signal, sys
from memrep.addresses import Address
from memrep.daemon.options import ServeOptions
from memrep.daemon.serve import serve
from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.replication.membership.timing import Timing

me, faults, tick = Address("127.0.0.1", int(sys.argv[1])), int(sys.argv[2]), Node.tick

def stumble(node):
    global faults
    tick(node)
    if node.open and faults > 0:
        faults -= 1
        raise ZeroDivisionError
    if node.open and faults == 0:
        faults = -1
        os.kill(os.getpid(), signal.SIGTERM)

Node.tick, Node.replaceable = stumble, True
node = NodeOptions(nodes=[str(me)], timing=Timing.scaled(60_000))
serve(ServeOptions(node=node, nodes=[me], me=me, listen=me.host, port=me.port, drain_ms=0))
"""


def _says(options: ServeOptions, faults: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(options.port), str(faults)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stderr


def test_a_node_says_where_it_serves_and_that_it_has_stopped(options: ServeOptions) -> None:
    first, *_, last = _says(options, 0).splitlines()
    assert f"clients on {HOST}:{options.port}" in first
    assert last.endswith("memrep has stopped")


def test_a_node_that_has_failed_is_replaced_in_the_same_process_as_often_as_it_takes(
    options: ServeOptions,
) -> None:
    said = _says(options, 2)
    assert said.count("a fault in memrep (ZeroDivisionError()): begins anew, as after a restart\n") == 2
    assert said.count("memrep starts") == said.count("SIGTERM: stops") == said.count("has stopped") == 1


#: Cannot begin: trio fails.
UNABLE: Final = """
import sys
import trio
from memrep.addresses import Address
from memrep.daemon.options import ServeOptions
from memrep.daemon.serve import serve
from memrep.node.options import NodeOptions

def fail(*given, **named):
    raise trio.TrioInternalError

trio.lowlevel.start_guest_run, me = fail, Address("127.0.0.1", int(sys.argv[1]))
node = NodeOptions(nodes=[str(me)])
serve(ServeOptions(node=node, nodes=[me], me=me, listen=me.host, port=me.port, unix=sys.argv[2]))
"""


def test_a_node_that_cannot_begin_leaves_no_socket_behind(options: ServeOptions, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    argv = [sys.executable, "-c", UNABLE, str(options.port), str(path)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
    assert "trio cannot begin" in done.stderr
    assert not path.exists()


# --- what is open to whom


def test_of_a_port_that_only_a_private_network_reaches_nothing_is_said(options: ServeOptions) -> None:
    for listen in (HOST, "10.1.1.1", "192.168.1.1", "fd00::1", "::1"):
        assert warning_of_strangers(attrs.evolve(options, listen=listen)) == ""


def test_of_a_port_in_public_is_said_whatever_has_not_been_done_and_nothing_else(options: ServeOptions) -> None:
    public = attrs.evolve(options, listen="8.8.8.8")
    alone = warning_of_strangers(public)
    assert "8.8.8.8" in alone and "--auth-file" in alone and "--tls-cert" in alone
    assert "--secret-file" not in alone  # there is no other node
    assert "--auth-file" not in warning_of_strangers(
        attrs.evolve(public, node=attrs.evolve(public.node, users=Users({})))
    )
    two = attrs.evolve(public, nodes=[public.me, Address("8.8.4.4", 11211)])
    assert "--secret-file" in warning_of_strangers(two)
    assert "--secret-file" not in warning_of_strangers(
        attrs.evolve(two, node=attrs.evolve(two.node, secret=b"s" * 32))
    )
