"""The end of a daemon: who is in is served until he goes or his time is over, nobody else comes in."""

from __future__ import annotations

import ssl
from pathlib import Path

import attrs
import pytest

from memrep.daemon import drain
from memrep.daemon.certificate import read_certificate
from memrep.daemon.options import ServeOptions
from memrep.protocol.resp import server
from tests.harness.certificates import Authority
from tests.real.processes import HOST, PortLease, until
from tests.unit.daemon.served import PATIENCE_S, Served, connect, is_alive, refuses, serve


def test_while_it_drains_nobody_comes_in_and_who_is_in_is_served_until_he_goes(options: ServeOptions) -> None:
    """It waits for him no longer than told: this would last an hour."""

    def visit(served: Served) -> None:
        with connect(options) as client:
            assert is_alive(client)
            served.stop()
            until(lambda: refuses(options), PATIENCE_S, "the port is shut")
            assert is_alive(client)
            client.sendall(b"quit\r\n")
            assert client.recv(1) == b""

    serve(attrs.evolve(options, drain_ms=3_600_000), visit)


def test_who_stays_when_the_drain_is_over_hears_an_end(options: ServeOptions) -> None:
    def visit(served: Served) -> None:
        with connect(options) as client:
            assert is_alive(client)
            served.stop()
            assert client.recv(1) == b""

    serve(options, visit)


def test_who_is_at_his_tls_handshake_when_the_port_is_shut_is_served(
    options: ServeOptions, tmp_path: Path
) -> None:
    """He is connected, and goes nowhere else. It waits for him: this would last an hour."""
    authority = Authority(tmp_path)
    cert, key = authority.issue("node")
    certificate = read_certificate(str(cert), str(key), None)
    context = ssl.create_default_context(cafile=str(authority.cert))

    def visit(served: Served) -> None:
        with connect(options) as plain:
            served.stop()
            until(lambda: refuses(options), PATIENCE_S, "the port is shut")
            with context.wrap_socket(plain, server_hostname=HOST) as client:
                assert is_alive(client)

    serve(attrs.evolve(options, certificate=certificate, drain_ms=3_600_000), visit)


def test_a_client_of_redis_is_answered_whatever_it_says_until_it_rests(
    options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short the drain: its client would take what is dropped for an empty session, or wait for long."""
    monkeypatch.setattr(drain, "_REST_S", 3_600)
    monkeypatch.setattr(server, "_HOLD_S", 0.5)  # this machine may be busy
    lease = PortLease(1)
    redis = attrs.evolve(options, redis_listen=HOST, redis_port=lease.ports[0])

    def visit(served: Served) -> None:
        with connect(attrs.evolve(redis, port=redis.redis_port)) as client:

            def asks() -> bool:
                client.sendall(b"PING\r\n")
                return client.recv(100) == b"+PONG\r\n"

            assert asks()
            served.stop()
            until(lambda: not asks() or refuses(redis), PATIENCE_S, "the port is shut")
            assert all(asks() for _ in range(100))
            assert client.recv(1) == b""

    try:
        serve(redis, visit)
    finally:
        lease.close()
