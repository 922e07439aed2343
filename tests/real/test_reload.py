"""A real node reads its options anew: all of it or nothing, and whoever is connected notices nothing."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memrep.status.facts import Status
from tests.harness.admin_client import ask
from tests.harness.certificates import Authority

from .asked import PATIENCE_S, Asked, command, states
from .processes import CHECKOUT, HOST, Child, PortLease, accepts, until
from .urgency import as_the_unit_runs

pytestmark = pytest.mark.real

TIMEOUT_S = 5.0


class Reloaded:
    """A node with a config file.

    Attributes:
        port: where it serves.
        config: its file.
        admin: where it is asked.
    """

    def __init__(
        self, directory: Path, port: int, *arguments: str, notify: Path | None = None, **options: object
    ) -> None:
        self.port = port
        self.config = directory / "memrep.toml"
        self.admin = directory / "admin.sock"
        self.options: dict[str, object] = {"port": port, "admin": str(self.admin), **options}
        self.write()
        argv = [sys.executable, "-m", "memrep", "serve", "--config", str(self.config), *arguments]
        env = {"PYTHONPATH": str(CHECKOUT)} | ({"NOTIFY_SOCKET": str(notify)} if notify else {})
        self.child = Child("node", as_the_unit_runs(argv), directory, env=env)

    def write(self, **options: object) -> None:
        self.options |= options
        self.config.write_text(
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.options.items())
        )

    def reload(self, **options: object) -> tuple[int, str]:
        """What `memrep reload` says, once these options stand in the file."""
        self.write(**options)
        return command(self.admin, "reload")

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=TIMEOUT_S)

    def ask(self, said: bytes, end: bytes = b"END\r\n") -> bytes:
        with self.connect() as client:
            return said_by(client, said, end)

    def stats(self, group: str) -> dict[str, str]:
        lines = self.ask(b"stats " + group.encode() + b"\r\n").decode().splitlines()[:-1]
        return {name: text for _, name, text in (line.split(" ", 2) for line in lines)}


def said_by(client: socket.socket, said: bytes, end: bytes) -> bytes:
    """What a client hears up to this end, or until it is hung up on."""
    client.sendall(said)
    heard = b""
    while not heard.endswith(end) and (data := client.recv(1 << 16)):
        heard += data
    return heard


@contextmanager
def serving(
    directory: Path, *arguments: str, notify: Path | None = None, **options: object
) -> Iterator[Reloaded]:
    lease = PortLease(1)
    node = Reloaded(directory, lease.ports[0], *arguments, notify=notify, **options)
    try:
        until(lambda: not node.child.running or accepts(node.port), 15, "the node serves")
        assert node.child.running, node.child.last_words()
        yield node
        assert node.child.running, node.child.last_words()
        assert "Traceback" not in node.child.log.read_text()
    finally:
        node.child.kill()
        lease.close()


def test_limits_are_taken_and_what_is_connected_goes_on(tmp_path: Path) -> None:
    large = b"set large 0 0 1500000\r\n" + b"x" * 1_500_000 + b"\r\n"
    with serving(tmp_path, memory=64, connections=100) as node, node.connect() as client:
        assert said_by(client, large, b"\r\n") == b"SERVER_ERROR object too large for cache\r\n"
        taken = "taken: connections drain item_size_max\n"
        assert node.reload(connections=2, item_size_max="2m", drain=0.5) == (0, taken)
        assert said_by(client, large, b"\r\n") == b"STORED\r\n"
        settings = said_by(client, b"stats settings\r\n", b"END\r\n")
        assert b"item_size_max 2097152\r\n" in settings
        assert b"maxconns 2\r\n" in settings and b"drain_ms 500\r\n" in settings
        with node.connect() as second, node.connect() as third:
            assert said_by(second, b"mn\r\n", b"MN\r\n") == b"MN\r\n"
            assert said_by(third, b"mn\r\n", b"MN\r\n") == b"", "a third client is let in"


def test_less_memory_ends_the_oldest_bit_by_bit_and_the_log_and_the_others_are_told(tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text("memory = 64\n")
    with Asked(2, tmp_path, own={0: ["--config", str(config)]}) as cluster:
        with socket.create_connection((HOST, cluster.ports[0]), timeout=TIMEOUT_S) as client:
            for n in range(40):
                stored = said_by(client, b"set k%d 0 0 500000\r\n%b\r\n" % (n, b"x" * 500_000), b"\r\n")
                assert stored == b"STORED\r\n"
            config.write_text("memory = 8\n")
            assert command(cluster.admin(0), "reload") == (0, "taken: memory\n")
            until(lambda: int(cluster.stats(0, "")["bytes"]) <= 8 << 20, TIMEOUT_S, "what is too much has gone")
            assert said_by(client, b"get k0\r\n", b"END\r\n") == b"END\r\n"
            assert said_by(client, b"get k39\r\n", b"END\r\n").startswith(b"VALUE k39")
        cluster.node(0).lines_with("memory is full: ")

        def is_told(status: Status) -> bool:
            return any(node.about is not None and node.about.limit == 8 << 20 for node in status.nodes)

        cluster.told(1, is_told, "the other node knows how much this one may hold")


def test_systemd_is_told_when_it_is_ready_and_when_options_are_being_read_anew(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        with serving(tmp_path, notify=tmp_path / "notify") as node:
            _told(systemd, "READY=1")
            node.child.process.send_signal(signal.SIGHUP)
            told = _told(systemd, "READY=1")
            (reloading,) = (one for one in told if "RELOADING=1" in one)
            assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading)


def _told(systemd: socket.socket, last: str) -> list[str]:
    """What systemd is told up to this line."""
    told: list[str] = []
    while not told or last not in told[-1].splitlines():
        told.append(systemd.recv(1 << 12).decode())
    return told


def test_log_level_and_format_are_taken(tmp_path: Path) -> None:
    with serving(tmp_path) as node:
        assert node.reload(log_level="debug", log_format="json") == (0, "taken: log_format log_level\n")
        node.ask(b"mn\r\n", b"MN\r\n")
        (line, *_) = node.child.lines_with('"event":"client-connected"')
        assert json.loads(line)["level"] == "debug"
        assert command(node.admin, "log") == (0, "debug\n")
        assert command(node.admin, "log", "error") == (0, "error\n")
        assert node.reload(drain=2)[0] == 0
        assert command(node.admin, "log") == (0, "error\n"), "a level that was set by hand has changed"


def test_the_command_line_counts_before_the_file_as_at_the_start(tmp_path: Path) -> None:
    with serving(tmp_path, "-m", "32", memory=64) as node:
        assert node.reload(memory=16) == (0, "taken: nothing has changed\n")
        assert node.stats("settings")["maxbytes"] == str(32 << 20)


def test_what_a_restart_would_change_is_told_before_it_is_done(tmp_path: Path) -> None:
    with serving(tmp_path, "-c", "100", memory=64) as node:
        code, said = command(node.admin, "config")
        assert code == 0
        origins = {words[0]: words[1:] for words in map(str.split, said.splitlines()[2:])}
        assert origins["memory"] == ["file", "64"]
        assert origins["connections"] == ["command", "line", "100"]
        assert origins["self"] == ["default", f"{HOST}:{node.port}"]
        assert command(node.admin, "config", "--diff")[0] == 0
        node.write(memory=32, connections=7, unix=str(tmp_path / "m.sock"))
        code, said = command(node.admin, "config", "--diff")
        assert (code, [line.split()[0] for line in said.splitlines()[2:]]) == (1, ["unix", "memory"]), said
        assert "needs a restart, one node at a time" in said and "`memrep reload`" in said
        assert node.stats("settings")["maxbytes"] == str(64 << 20), "a look has changed something"
        node.write(unix="")
        assert command(node.admin, "reload") == (0, "taken: memory\n")
        assert command(node.admin, "config", "--diff")[0] == 0


def test_with_one_mistake_nothing_is_taken_and_one_line_says_which(tmp_path: Path) -> None:
    with serving(tmp_path, memory=64, connections=100) as node:
        for change, why in {
            "connections = 0": "0 is not in the range",
            "memory = 1\nconnections = 7": "must be from 1k to half of -m",
            "no toml": "is no valid TOML",
            "membry = 7": "there is no option 'membry'",
            "tls_key = 'x'": "--tls-key needs --tls-cert",
            "secret_file = '/nowhere'": "secret_file cannot be added by a running node",
            "connections = 7\nnodes = 'a:1,b:1'\nfailure_timeout = 5": "nodes needs a restart of all nodes",
        }.items():
            node.config.write_text(f"port = {node.port}\nadmin = '{node.admin}'\n{change}\n")
            code, said = command(node.admin, "reload")
            assert code == 1 and why in said, said
            assert said.endswith("memrep: nothing is taken; the node goes on as it was\n")
            assert node.stats("settings")["maxconns"] == "100"
        assert "failure_timeout needs a restart of all nodes together" in said
        assert len(node.child.lines_with("error: options stay as they were")) == 7
        assert "memrep_config_reload_success 0.0" in ask(node.admin, "/metrics")[1]
        code, told = command(node.admin, "status")
        words = " ".join(told.split())
        assert code == 1 and "what was read anew will not do: nodes needs a restart of all nodes" in words, told
        assert "`memrep config --diff`" in words
        assert command(node.admin, "check", "config")[0] == 1
        node.write(connections=8)
        node.child.process.send_signal(signal.SIGHUP)
        node.child.lines_with("options are read anew (SIGHUP): connections")
        assert command(node.admin, "check", "config")[0] == command(node.admin, "status")[0] == 0
        assert "memrep_config_reload_success 1.0" in ask(node.admin, "/metrics")[1]


def test_users_are_taken_and_whoever_is_logged_in_stays_so(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("web:old\n")
    users.chmod(0o600)
    with serving(tmp_path, auth_file=str(users)) as node, node.connect() as client:
        assert said_by(client, b"set auth x 0 7\r\nweb old\r\n", b"\r\n") == b"STORED\r\n"
        users.write_text("web:new\n")
        assert node.reload() == (0, "taken: auth_file\n")
        assert said_by(client, b"mn\r\n", b"MN\r\n") == b"MN\r\n"
        assert node.ask(b"set auth x 0 7\r\nweb old\r\n", b"\r\n").startswith(b"CLIENT_ERROR")
        assert node.ask(b"set auth x 0 7\r\nweb new\r\n", b"\r\n") == b"STORED\r\n"
        users.write_text("no user\n")
        code, said = node.reload()
        assert code == 1 and "line 1 is no user:password" in said
        assert node.ask(b"set auth x 0 7\r\nweb new\r\n", b"\r\n") == b"STORED\r\n"


def test_certificates_are_taken_for_new_clients_and_a_bad_one_is_not(tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def put(authority: Authority, *, with_key: bool = True) -> None:
        files = authority.issue("node")
        cert.write_bytes(files[0].read_bytes())
        if with_key:
            key.write_bytes(files[1].read_bytes())

    def connect(node: Reloaded, authority: Authority) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(authority.cert))
        return context.wrap_socket(node.connect(), server_hostname=HOST)

    put(old)
    with serving(tmp_path, tls_cert=str(cert), tls_key=str(key)) as node, connect(node, old) as client:
        put(new)
        assert node.reload() == (0, "taken: tls_cert tls_key\n")
        assert said_by(client, b"mn\r\n", b"MN\r\n") == b"MN\r\n"
        with connect(node, new) as other:
            assert said_by(other, b"mn\r\n", b"MN\r\n") == b"MN\r\n"
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(node, old)
        put(old, with_key=False)
        code, said = node.reload()
        assert code == 1 and "is not the key of the first certificate" in said
        with connect(node, new) as other:
            assert said_by(other, b"mn\r\n", b"MN\r\n") == b"MN\r\n"


def test_the_secret_is_changed_in_three_steps_and_no_link_is_refused(tmp_path: Path) -> None:
    """In the midst of each step, when some nodes have made it and others have not, a node comes anew."""
    old, new = "an old secret of 16 bytes", "a new secret of 16 bytes"
    files = [tmp_path / f"secret{i}" for i in range(3)]

    def write(i: int, *lines: str) -> None:
        files[i].write_text("\n".join(lines) + "\n")
        files[i].chmod(0o600)

    for i in range(3):
        write(i, old)
    with Asked(3, tmp_path, own={i: ["--secret-file", str(files[i])] for i in range(3)}) as cluster:
        for step, lines in enumerate([(old, new), (new, old), (new,)]):
            for i in range(3):
                write(i, *lines)
                assert command(cluster.admin(i), "reload") == (0, "taken: secret_file\n")
                if i < 2:
                    anew = (step + i) % 3  # one that has made the step, or one that has not
                    cluster.stop(anew)
                    cluster.start(anew)
                    cluster.told(0, lambda status: states(status) == ["serving"] * 3, "all serve again")
                    cluster.wait_healed()
        for i in range(3):
            log = cluster.node(i).log.read_text()
            assert "secret-file" not in log.replace("--secret-file " + str(files[i]), ""), log
            assert "turned away" not in log and "turned this node away" not in log
        write(0, old)
        assert command(cluster.admin(0), "reload")[0] == 0
        cluster.stop(1)
        cluster.start(1)
        until(
            lambda: "differs from that of" in cluster.node(1).log.read_text(),
            PATIENCE_S,
            "who knows the old one",
        )
        write(0, new)
        assert command(cluster.admin(0), "reload")[0] == 0
        cluster.wait_healed()
