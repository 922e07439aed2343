"""Clients that speak TLS with a real node, and those who do not speak it well."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pymemcache.client.base import Client

from tests.harness.certificates import Authority

from .processes import CHECKOUT, HOST, Child, PortLease, accepts, pause, until
from .urgency import as_the_unit_runs

pytestmark = pytest.mark.real

TIMEOUT_S = 5.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@contextmanager
def _serving(directory: Path, port: int, *options: str) -> Iterator[Child]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
    env["PYTHONPATH"] = str(CHECKOUT)
    argv = [sys.executable, "-m", "memrep", "serve", "-p", str(port), *options]
    child = Child("node", as_the_unit_runs(argv), directory, env=env)
    try:
        until(lambda: not child.running or accepts(port), 15, "the node serves")
        assert child.running, child.last_words()
        yield child
        assert child.running, child.last_words()
        assert "Traceback" not in child.log.read_text()
    finally:
        child.kill()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    lease = PortLease(1)
    yield lease.ports[0]
    lease.close()


@pytest.fixture(scope="module")
def node(authority: Authority, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A node that speaks TLS with everybody; its certificate is about to expire."""
    directory = tmp_path_factory.mktemp("node")
    cert, key = authority.issue("node", days=5)
    options = ["--tls-cert", str(cert), "--tls-key", str(key), "--unix", str(directory / "sock"), "-I", "4m"]
    with _serving(directory, port, *options) as child:
        yield child


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.cert))


@contextmanager
def _client(port: int, context: ssl.SSLContext) -> Iterator[Any]:
    client = Client(
        (HOST, port), timeout=TIMEOUT_S, connect_timeout=TIMEOUT_S, default_noreply=False, tls_context=context
    )
    try:
        yield client
    finally:
        client.close()


def _tls(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(socket.create_connection((HOST, port), TIMEOUT_S), server_hostname=HOST)


def _read(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (part := sock.recv(1 << 20)):
        data += part
    return bytes(data)


def test_a_client_that_speaks_tls_reads_and_writes(node: Child, port: int, context: ssl.SSLContext) -> None:
    with _client(port, context) as client:
        assert client.set("cart", b"books")
        assert client.get("cart") == b"books"
        assert client.incr("none", 1) is None
        assert client.stats("settings")[b"ssl_enabled"] == b"yes"


@pytest.mark.parametrize("size", [0, 16_000, 16_384, 1 << 20, 3 << 20])
def test_values_of_all_sizes_come_back_as_they_were(
    node: Child, port: int, context: ssl.SSLContext, size: int
) -> None:
    value = Random(size).randbytes(size)
    with _client(port, context) as client:
        assert client.set(f"v{size}", value)
        assert client.get(f"v{size}") == value
        assert client.get_many([f"v{size}", "cart"])[f"v{size}"] == value


def test_a_pipeline_is_answered_in_order_though_nobody_reads_for_a_while(
    node: Child, port: int, context: ssl.SSLContext
) -> None:
    value = b"v" * 100_000
    with _tls(port, context) as sock:
        sock.sendall(b"set big 0 0 %d\r\n%s\r\n" % (len(value), value))
        assert _read(sock, 8) == b"STORED\r\n"
        sock.sendall(b"".join(b"get big\r\nget none%d\r\n" % n for n in range(100)))
        expected = (b"VALUE big 0 %d\r\n%s\r\nEND\r\nEND\r\n" % (len(value), value)) * 100
        assert _read(sock, len(expected)) == expected


@pytest.mark.parametrize("most", [1, 7, 1_000])
def test_however_the_packets_are_cut_the_answers_are_the_same(
    node: Child, port: int, context: ssl.SSLContext, most: int
) -> None:
    rng = Random(most)
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(heard, said, server_hostname=HOST)
    with socket.create_connection((HOST, port), TIMEOUT_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send() -> None:
            data = said.read()
            while data:
                size = rng.randint(1, most)
                sock.sendall(data[:size])
                data = data[size:]

        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                send()
                heard.write(sock.recv(rng.randint(1, most)))
        for n in range(10):
            client.write(b"set cut%d 0 0 5\r\nbooks\r\n" % n)
            client.write(b"get cut%d\r\n" % n)
        send()
        expected = b"".join(b"STORED\r\nVALUE cut%d 0 5\r\nbooks\r\nEND\r\n" % n for n in range(10))
        answers = b""
        while len(answers) < len(expected):
            try:
                answers += client.read(1 << 16)
            except ssl.SSLWantReadError:
                heard.write(sock.recv(rng.randint(1, most)))
        assert answers == expected


def test_tls_1_1_is_not_spoken_and_1_2_is(node: Child, port: int, context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with _tls(port, context) as sock:
        assert sock.version() == "TLSv1.2"
        sock.sendall(b"get none\r\n")
        assert _read(sock, 5) == b"END\r\n"


def test_the_end_of_a_connection_is_told(node: Child, port: int, context: ssl.SSLContext) -> None:
    with context.wrap_socket(
        socket.create_connection((HOST, port), TIMEOUT_S), server_hostname=HOST, suppress_ragged_eofs=False
    ) as sock:
        sock.sendall(b"get none\r\nquit\r\n")
        assert _read(sock, 100) == b"END\r\n"


def test_who_speaks_on_after_the_end_hears_the_end_and_no_reset(
    node: Child, port: int, context: ssl.SSLContext
) -> None:
    with _tls(port, context) as sock:
        sock.sendall(b"quit\r\n")
        for _ in range(100):
            sock.sendall(b"get none\r\n")
        assert _read(sock, 1) == b""


def test_the_unix_socket_stays_plain(node: Child) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(str(node.log.parent / "sock"))
        sock.sendall(b"get none\r\n")
        assert _read(sock, 5) == b"END\r\n"


def test_a_certificate_that_soon_expires_is_told_of_at_the_start(node: Child) -> None:
    assert len(node.lines_with("warning: the certificate in ")) == 1


def test_who_speaks_no_tls_is_closed_without_a_word_and_the_log_says_so_once(node: Child, port: int) -> None:
    for _ in range(3):
        with socket.create_connection((HOST, port), TIMEOUT_S) as sock:
            sock.sendall(b"get cart\r\n")
            with suppress(ConnectionResetError):
                assert sock.recv(100) == b""
    assert len(node.lines_with(f"closed a client from {HOST}: it speaks no TLS (--tls-cert); ")) == 1


def test_who_does_not_finish_the_handshake_is_closed_and_keeps_nobody_out(
    node: Child, port: int, context: ssl.SSLContext
) -> None:
    descriptors = Path(f"/proc/{node.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    idle = [socket.create_connection((HOST, port), TIMEOUT_S) for _ in range(300)]
    for sock in idle[::2]:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
    with _client(port, context) as client:
        assert client.set("a", b"b")
        assert len(list(descriptors.iterdir())) <= before + 130
        until(lambda: len(list(descriptors.iterdir())) <= before + 1, 10, "the idle ones are closed")
        assert client.get("a") == b"b"
    for sock in idle:
        sock.close()
    assert len(node.lines_with("no TLS handshake in 5 s")) == 1


def test_a_stopped_nodes_clients_are_closed_if_they_have_sent_something_and_kept_if_not(
    node: Child, port: int, context: ssl.SSLContext
) -> None:
    with _tls(port, context) as idle, _tls(port, context) as busy:
        for sock in (idle, busy):
            sock.sendall(b"set stopped 0 0 6\r\nbefore\r\n")
            assert _read(sock, 8) == b"STORED\r\n"
        stopped_at = node.log.read_text().count("was stopped for")
        node.process.send_signal(signal.SIGSTOP)
        busy.sendall(b"set stopped 0 0 5\r\nstale\r\n")
        pause(0.4)
        node.process.send_signal(signal.SIGCONT)
        assert _read(busy, 8) == b""
        idle.sendall(b"get stopped\r\n")
        assert _read(idle, 32) == b"VALUE stopped 0 6\r\nbefore\r\nEND\r\n"
        assert len(node.lines_with("was stopped for", stopped_at + 1)) == stopped_at + 1


def test_with_an_authority_only_its_clients_are_served(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.issue("strict")
    other = Authority(tmp_path / "other", "other")
    lease = PortLease(1)
    (port,) = lease.ports
    options = ["--tls-cert", str(cert), "--tls-key", str(key), "--tls-ca", str(authority.cert)]
    with _serving(tmp_path, port, *options) as node:
        for shown in [None, other.issue("stranger"), authority.issue("client")]:
            context = ssl.create_default_context(cafile=str(authority.cert))
            if shown is not None:
                context.load_cert_chain(*shown)
            try:
                with _tls(port, context) as sock:
                    sock.sendall(b"get none\r\n")
                    answer = _read(sock, 5)
            except (ssl.SSLError, ConnectionError):
                answer = b""
            assert answer == (b"END\r\n" if shown is not None and "client" in shown[0].name else b"")
        failed = f"closed a client from {HOST}: TLS failed, "
        node.lines_with(f"{failed}it shows no certificate, and --tls-ca demands one")
        node.lines_with(f"{failed}its certificate is not accepted: ")
    lease.close()
