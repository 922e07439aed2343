"""What is said at the start, and that a daemon which is not to be trusted is replaced, at the same place."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import attrs

from memrep.addresses import Address
from memrep.daemon.options import ServeOptions
from memrep.daemon.serve import warning_of_strangers
from memrep.protocol.users import Users
from tests.harness.admin_client import ask
from tests.real.processes import CHECKOUT, HOST, Child, Family, PortLease, until

# --- from start to end

#: Serves at this port a node that could be replaced, and that fails once it serves, as often as it is told to;
#: then ends itself.
CHILD: Final = """
import os, signal, sys
from memrep.addresses import Address
from memrep.daemon.admin_socket import AdminPath
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
        if "stay" not in sys.argv:
            os.kill(os.getpid(), signal.SIGTERM)

Node.tick, Node.replaceable = stumble, True
node = NodeOptions(nodes=[str(me)], timing=Timing.scaled(60_000))
admin = AdminPath(path=sys.argv[3], mode=0o600, named=False, own_directory=False) if sys.argv[3:] else None
http = Address(os.environ.get("HTTP_HOST", me.host), int(os.environ["HTTP"])) if "HTTP" in os.environ else None
serve(
    ServeOptions(
        node=node, nodes=[me], me=me, listen=me.host, port=me.port, drain_ms=0, admin=admin, http=http
    )
)
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


def _says_with_admin_socket(options: ServeOptions, path: Path) -> str:
    argv = [sys.executable, "-c", CHILD, str(options.port), "0", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stderr


def test_a_node_says_where_it_can_be_asked_or_why_it_cannot(options: ServeOptions, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    said = _says_with_admin_socket(options, path)
    assert said.splitlines()[0].endswith(f", admin socket {path}")
    assert "warning" not in said
    path.write_text("precious")
    said = _says_with_admin_socket(options, path)
    assert "admin socket" not in said.splitlines()[0]
    assert said.count(f"warning: no admin socket: --admin {path} is there, and no socket; choose") == 1
    assert path.read_text() == "precious"


def _identity(path: Path) -> tuple[int, ...]:
    """Which file that is, and when it was made; not when somebody asked there last: to connect is enough."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_mode, found.st_mtime_ns, found.st_ctime_ns


def test_a_node_that_takes_anothers_place_answers_an_operator_at_the_same_socket(
    options: ServeOptions, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    argv = [sys.executable, "-c", CHILD, str(options.port), "2", str(path), "stay"]

    def answers() -> bool:
        try:
            return ask(path, "/healthz") == (200, "ok\n")
        except OSError:
            return False  # cut by the end of one of them

    with Family() as family:
        child = family.add(Child("node", argv, tmp_path, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}))
        child.lines_with("begins anew", at_least=2, timeout_s=30)
        file = _identity(path)
        until(answers, 30, "the third one answers")
        assert _identity(path) == file
        child.kill()
    assert path.is_socket()
    said = _says_with_admin_socket(options, path)
    assert said.splitlines()[0].endswith(f", admin socket {path}")  # what was left there is replaced


def test_a_node_that_takes_anothers_place_tells_of_itself_at_the_same_port(
    options: ServeOptions, tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", CHILD, str(options.port), "2", str(tmp_path / "admin.sock"), "stay"]
    with closing(PortLease(1)) as lease, Family() as family:
        port = lease.ports[0]
        env = os.environ | {"PYTHONPATH": str(CHECKOUT), "HTTP": str(port)}

        def answers() -> bool:
            try:
                with urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as answer:
                    return b"\nmemrep_ready 1.0\n" in answer.read()
            except (OSError, HTTPException):
                return False  # cut by the end of one of them

        child = family.add(Child("node", argv, tmp_path, env=env))
        child.lines_with("begins anew", at_least=2, timeout_s=30)
        until(answers, 30, "the third one answers")
        (starts,) = child.lines_with("memrep starts", timeout_s=30)
        assert starts.endswith(f", HTTP on {HOST}:{port}")
        child.kill()


def test_a_node_without_the_library_for_metrics_says_so_if_it_has_a_port_for_http(
    options: ServeOptions, tmp_path: Path
) -> None:
    code = f"import sys; sys.modules['prometheus_client'] = None\n{CHILD}"
    argv = [sys.executable, "-c", code, str(options.port), "0", str(tmp_path / "admin.sock")]
    with closing(PortLease(1)) as lease:
        for more, count in (({}, 0), ({"HTTP": str(lease.ports[0])}, 1)):
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=30, check=True, env=os.environ | more
            )
            assert done.stderr.count("warning: no metrics: prometheus_client is not installed") == count


def test_a_node_warns_of_a_port_for_http_that_strangers_can_reach(
    options: ServeOptions, tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", CHILD, str(options.port), "0", str(tmp_path / "admin.sock")]
    with closing(PortLease(1)) as lease:
        for host, count in ((HOST, 0), ("0.0.0.0", 1)):
            env = os.environ | {"HTTP": str(lease.ports[0]), "HTTP_HOST": host}
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True, env=env)
            assert done.stderr.count(f"warning: strangers can reach --http {host}:") == count


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
        assert warning_of_strangers(attrs.evolve(options, listen=listen)) is None


def test_of_a_port_in_public_is_said_whatever_has_not_been_done_and_nothing_else(options: ServeOptions) -> None:
    public = attrs.evolve(options, listen="8.8.8.8")
    alone = str(warning_of_strangers(public))
    assert "8.8.8.8" in alone and "--auth-file" in alone and "--tls-cert" in alone
    assert "--secret-file" not in alone  # there is no other node
    assert "--auth-file" not in str(
        warning_of_strangers(attrs.evolve(public, node=attrs.evolve(public.node, users=Users({}))))
    )
    two = attrs.evolve(public, nodes=[public.me, Address("8.8.4.4", 11211)])
    assert "--secret-file" in str(warning_of_strangers(two))
    assert "--secret-file" not in str(
        warning_of_strangers(attrs.evolve(two, node=attrs.evolve(two.node, secrets=(b"s" * 32,))))
    )
