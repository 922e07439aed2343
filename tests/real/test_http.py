"""A real node is asked at the port of --http: what it tells there, to whom, and what real tools make of it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from memrep.daemon.http_server import CONNECTIONS_MAX

from .cluster import START_TIMEOUT_S, Cluster
from .processes import HOST, PortLease, accepts, find_program, until

pytestmark = pytest.mark.real

PATIENCE_S: Final = 15
OPEN_METRICS: Final = "application/openmetrics-text;version=1.0.0"
READ_OPEN_METRICS: Final[Callable[[str], Iterable[Metric]]] = read_open_metrics


class Asked(Cluster):
    """Nodes with ports for HTTP."""

    def __init__(self, count: int, directory: Path) -> None:
        super().__init__(count, directory)
        self._http = PortLease(count)

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._http.close()

    def argv(self, i: int) -> list[str]:
        admin = ["--admin", str(self.directory / f"admin{i}.sock")]
        return [*super().argv(i), *admin, "--http", str(self._http.ports[i])]

    def http_port(self, i: int) -> int:
        return self._http.ports[i]

    def page(self, i: int) -> str:
        """Where the page of node i is, for a browser."""
        return f"http://{HOST}:{self.http_port(i)}/"

    def answers(self, i: int) -> bool:
        """Whether node i answers there."""
        return accepts(self.http_port(i))

    def ask(
        self, i: int, target: str, method: str = "GET", **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """Status, body and headers of what is answered.

        Raises:
            OSError: nobody answers there.
        """
        with closing(http.client.HTTPConnection(HOST, self.http_port(i), timeout=PATIENCE_S)) as connection:
            connection.request(method, target, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers


def test_every_page_is_there_to_read_and_tells_of_no_client(tmp_path: Path) -> None:
    with Asked(1, tmp_path) as node, socket.create_connection((HOST, node.ports[0])) as client:
        client.sendall(b"set aSecretKey 0 0 1\r\nx\r\nget aSecretKey\r\n")
        assert client.recv(100).startswith(b"STORED")
        assert node.ask(0, "/healthz")[:2] == (200, "ok\n")
        until(lambda: node.ask(0, "/ready")[:2] == (200, "serving\n"), PATIENCE_S, "it is ready")
        assert json.loads(node.ask(0, "/status")[1])["asked"] == node.addresses[0]
        for target in ("/", "/healthz", "/ready", "/status", "/metrics"):
            status, body, headers = node.ask(0, target)
            assert status == 200
            assert "aSecretKey" not in body and f":{client.getsockname()[1]}" not in body
            status, nothing, of_head = node.ask(0, target, "HEAD")
            assert (status, nothing) == (200, "")
            assert of_head["Content-Type"] == headers["Content-Type"]
            assert node.ask(0, target, "OPTIONS")[2]["Allow"] == "GET, HEAD, OPTIONS"
            for method in ("POST", "PUT", "DELETE"):
                status, _, headers = node.ask(0, target, method)
                assert (status, headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        for target in ("/index.html", "/clients", "/clients/kill"):
            assert node.ask(0, target)[0] == node.ask(0, target, "POST")[0] == 404
        client.sendall(b"mn\r\n")
        heard = b""
        while not heard.endswith(b"MN\r\n"):
            heard += (data := client.recv(100))
            assert data, heard


def test_a_request_that_means_another_host_is_refused(tmp_path: Path) -> None:
    with Asked(1, tmp_path) as node:
        for host in ("localhost", "127.0.0.1:1", socket.gethostname(), "[::1]:80"):
            assert node.ask(0, "/healthz", Host=host)[0] == 200
        for target in ("/", "/status"):
            status, why, _ = node.ask(0, target, Host="evil.example")
            assert status == 421
            assert why.startswith("ask by an IP address, or by a name of this machine: ")
        for lines, told in (
            (b"GET /healthz HTTP/1.1\r\n\r\n", b"400"),
            (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
        ):
            with socket.create_connection((HOST, node.http_port(0))) as client:
                client.sendall(lines)
                assert client.recv(1000).split(b" ")[1] == told


def test_one_connection_too_many_is_told_so(tmp_path: Path) -> None:
    with Asked(1, tmp_path) as node:
        clients = [socket.create_connection((HOST, node.http_port(0))) for _ in range(CONNECTIONS_MAX)]
        try:
            with socket.create_connection((HOST, node.http_port(0)), timeout=PATIENCE_S) as one_more:
                assert one_more.recv(1000).startswith(b"HTTP/1.1 503 ")
        finally:
            for client in clients:
                client.close()
        until(lambda: node.ask(0, "/healthz")[0] == 200, PATIENCE_S, "there is room again")


def test_both_parsers_and_promtool_read_the_metrics_of_three_nodes(tmp_path: Path) -> None:
    promtool = find_program("promtool")
    with Asked(3, tmp_path) as nodes:
        _, text, headers = nodes.ask(0, "/metrics")
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert {family.name for family in read_text(text)} == {
            family.name for family in READ_OPEN_METRICS(nodes.ask(0, "/metrics", Accept=OPEN_METRICS)[1])
        }
        judged = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")
        told = {
            (sample.name, *sample.labels.values()): sample.value
            for family in read_text(text)
            for sample in family.samples
        }
        assert told["memrep_ready",] == 1
        assert told["memrep_view_members",] == told["memrep_nodes_configured",] == 3
        for figure in (
            "cpu_seconds_total",
            "resident_memory_bytes",
            "open_fds",
            "max_fds",
            "start_time_seconds",
        ):
            assert told[f"process_{figure}",] > 0
        peers = {sample[1] for sample in told if sample[0] == "memrep_peer_lag_writes"}
        assert peers == set(nodes.addresses[1:])


def test_a_node_that_joins_is_not_ready_and_says_how_far_it_is(tmp_path: Path) -> None:
    heard: set[str] = set()
    with Asked(2, tmp_path) as nodes:
        nodes.kill(1)
        with socket.create_connection((HOST, nodes.ports[0]), timeout=60) as client:
            items = b"".join(b"set key%d 0 0 10 noreply\r\n0123456789\r\n" % i for i in range(100_000))
            client.sendall(items + b"mn\r\n")
            assert client.recv(100) == b"MN\r\n"
        nodes.start(1)
        until(lambda: accepts(nodes.http_port(1)), START_TIMEOUT_S, "the port for HTTP is open")

        def ready() -> bool:
            status, line, _ = nodes.ask(1, "/ready")
            assert status == (200 if line == "serving\n" else 503), line
            heard.add(line)
            return status == 200

        until(ready, 60, "it is ready")
        far = re.compile(
            rf"joining: fetches what it lacks from {nodes.addresses[0]}: [\d,]+ of 100,000 items\n"
        )
        assert any(map(far.fullmatch, heard)), heard
        assert "memrep_join_items_expected 100000.0\n" in nodes.ask(1, "/metrics")[1]


def test_a_port_that_cannot_be_had_is_told_in_one_line(tmp_path: Path) -> None:
    with Asked(1, tmp_path) as node:
        taken = node.http_port(0)
        done = subprocess.run(
            [*node.argv(0)[:4], "-p", "22999", "--admin", "none", "--http", str(taken)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 4
        assert re.fullmatch(rf"memrep: cannot listen on {HOST}:{taken} for HTTP: .*\n", done.stderr), (
            done.stderr
        )
