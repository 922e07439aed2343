"""`memrep serve`, as a real process: options from three places, each mistake one line, an orderly end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

import memrep
from tests.real.processes import HOST, NODE_LINK_OFFSET, Child, PortLease, accepts, pause, until

ROOT: Final = Path(memrep.__file__).parent.parent
SERVE: Final = [sys.executable, "-m", "memrep", "serve"]
ELSEWHERE: Final = "203.0.113.7:11211"  # reserved for documentation (RFC 5737): nobody's

#: Starting, listening and ending take a fraction of this, s.
PATIENCE_S: Final = 15


def _environment(**given: str) -> dict[str, str]:
    """This process's environment, with these options of memrep's and no others."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("MEMREP_")}
    return {**rest, "PYTHONPATH": str(ROOT), **given}


def _refused(*arguments: str, status: int = 2, **environment: str) -> str:
    """The one line that answers an operator's mistake."""
    done = subprocess.run(
        [*SERVE, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=_environment(**environment),
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("memrep: ")
    return line


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Two free ports whose link ports are free as well."""
    lease = PortLease(2, offsets=(0, NODE_LINK_OFFSET))
    yield lease.ports
    lease.close()


@contextmanager
def _taken(port: int) -> Iterator[None]:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        sock.listen()
        yield


@contextmanager
def _started(directory: Path, *arguments: str, **environment: str) -> Iterator[Child]:
    child = Child("memrep", [*SERVE, *arguments], directory, _environment(**environment))
    try:
        yield child
    finally:
        child.kill()


@contextmanager
def _serving(directory: Path, port: int, *arguments: str, **environment: str) -> Iterator[Child]:
    """A node that takes clients on this port."""
    with _started(directory, *arguments, **environment) as child:
        until(lambda: not child.running or accepts(port), PATIENCE_S, "memrep listens")
        assert child.running, child.last_words()
        yield child


def _ask(address: tuple[str, int] | str, command: bytes, end: bytes = b"END\r\n") -> bytes:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(address)
        sock.sendall(command)
        reply = b""
        while not reply.endswith(end):
            data = sock.recv(1 << 16)
            assert data, reply
            reply += data
    return reply


def _settings(port: int) -> dict[str, str]:
    lines = _ask((HOST, port), b"stats settings\r\n").decode().split("\r\n")[:-2]
    return dict(line.split(" ", 2)[1:] for line in lines)


# --- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--nodez", "a:1"], "--nodez"),
        (["--memory"], "--memory"),
        (["surplus"], "surplus"),
        (["-p", "0"], "1<=x<=55535"),
        (["-p", "55536"], "1<=x<=55535"),
        (["-p", "http"], "http"),
        (["-m", "0"], "--memory"),
        (["-m", "64m"], "64m"),
        (["-c", "0"], "--connections"),
        (["-I", "large"], "write 512k or 2m"),
        (["-I", "-1"], "write 512k or 2m"),
        (["-I", "1t"], "write 512k or 2m"),
        (["-I", "100"], "must be from 1k to half of -m (64 MB)"),
        (["-I", "40m"], "must be from 1k to half of -m (64 MB)"),
        (["--failure-timeout", "0"], "0.2<=x<=60"),
        (["--failure-timeout", "nan"], "--failure-timeout"),
        (["--cold-start", "nan"], "--cold-start"),
        (["--drain", "-1"], "0<=x<=3600"),
        (["--drain", "nan"], "--drain"),
        (["--partition", "both"], "available"),
        (["--nodes", ""], 'write them as in save_path: "tcp://10.1.1.1:11211,tcp://10.2.2.2:11211"'),
        (["--nodes", "web1"], 'write them as in save_path: "tcp://10.1.1.1:11211,tcp://10.2.2.2:11211"'),
        (["--nodes", "web1:60000"], "port 60000"),
        (["--nodes", "a:1,a:1"], "name each node once"),
        (["--nodes", "unix:///run/memcached.sock"], "a unix socket reaches one machine only"),
        (["--nodes", "127.0.0.1:11311,127.0.0.1:11312"], "say which one this is with --self"),
        (["--nodes", f"127.0.0.1:11311,{ELSEWHERE}", "--self", "127.0.0.1:11312"], "give one of these"),
        (["--nodes", f"127.0.0.1:11311,{ELSEWHERE}", "--self", "here"], "--self: 'here' is no HOST:PORT"),
        (["--nodes", f"127.0.0.1:11311,{ELSEWHERE}", "-p", "11312"], "leave -p out, or correct --nodes"),
        (["--nodes", "8.8.8.8:11211", "--self", "8.8.8.8:11211"], "or say --listen 8.8.8.8 if that is meant"),
        (["--redis", "redis"], "--redis redis is no port; write --redis 6379 or --redis 10.1.1.1:6379"),
        (["--redis", "0"], "is no port"),
        (["--redis", "11211"], "this node has another use for that port"),
        (["--tls-cert", "/dev/null/x"], "--tls-cert /dev/null/x: Not a directory; give a PEM file"),
        (["--tls-key", "x"], "--tls-key needs --tls-cert; give the certificate, too, or leave both out"),
        (["--tls-ca", "x"], "--tls-ca needs --tls-cert; give the certificate, too, or leave both out"),
        (["--secret-file", "/dev/null/x"], "give a file that memrep's user may read"),
        (["-c", "2000000000"], "raise LimitNOFILE (systemd) or `ulimit -n`, or lower -c"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_mistake_is_answered_by_one_line_that_names_what_to_do(arguments: list[str], says: str) -> None:
    assert says in _refused(*arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--nodes", ELSEWHERE], "correct the list, or behind NAT or in a container give --self and --listen"),
        (["--listen", "not an address"], "--listen not an address"),
        (["--listen", "203.0.113.7"], "cannot listen on 203.0.113.7:11211 for clients"),
        (["--nodes", "web..1:11211"], "web..1:11211"),
        (["--redis", "nowhere.invalid:6379"], "is no address of this machine"),
    ],
)
def test_an_address_that_may_come_is_missed_with_an_exit_status_of_its_own(
    arguments: list[str], says: str
) -> None:
    """So whoever looks after it may try again, as at boot, when an address is late."""
    assert says in _refused(*arguments, status=4)


def test_a_mistake_in_the_environment_is_answered_alike() -> None:
    assert "lots" in _refused(MEMREP_MEMORY="lots")
    assert "save_path" in _refused(MEMREP_NODES="web1")
    assert "give one of these" in _refused(MEMREP_NODES=ELSEWHERE, MEMREP_SELF="127.0.0.1:11211")


def test_a_client_port_that_is_taken(ports: list[int]) -> None:
    with _taken(ports[0]):
        line = _refused("-p", str(ports[0]), status=4)
    assert f"cannot listen on 127.0.0.1:{ports[0]} for clients" in line
    assert f"sport = :{ports[0]}" in line


def test_a_link_port_that_is_taken(ports: list[int]) -> None:
    link = ports[0] + NODE_LINK_OFFSET
    with _taken(link):
        line = _refused("--nodes", f"127.0.0.1:{ports[0]},{ELSEWHERE}", status=4)
    assert f"cannot listen on 127.0.0.1:{link} for the other nodes" in line
    assert f"sport = :{link}" in line


# --- mistakes in the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("memry = 64", "there is no option 'memry'; the options are admin auth_file cold_start"),
        ("[memrep]\nmemory = 64", "there is no option 'memrep'"),
        ("cold-start = 3", "there is no option 'cold-start'"),
        ("config = 'other.toml'", "there is no option 'config'"),
        ("memory = ", "is no valid TOML"),
        ("memory = 64\nmemory = 65", "is no valid TOML"),
        ("nodes = 'a:1", "is no valid TOML"),
        ("memory = 'lots'", "lots"),
        ("memory = -1", "--memory"),
        ("memory = [64]", "memory"),
        ("memory = {mb = 64}", "memory"),
        ("nodes = ['10.1.1.1:11211', '10.2.2.2:11211']", 'nodes = "10.1.1.1:11211,10.2.2.2:11211"'),
        ("drain = nan", "drain"),
    ],
)
def test_a_mistake_in_the_file_is_answered_by_one_line(text: str, says: str, tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text(text)
    assert says in _refused("--config", str(config))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        line = _refused("--config", str(path))
        assert str(path) in line
        assert "give a file that memrep may read" in line


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_bytes(b"\xff\xfe\0")
    assert "is no valid TOML" in _refused("--config", str(config))


def test_the_file_may_say_which_node_this_is(tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text("nodes = '127.0.0.1:11311,127.0.0.1:11312'\nself = '127.0.0.1:11313'\n")
    assert "--self 127.0.0.1:11313 is not in --nodes" in _refused("--config", str(config))


# --- the unix socket ----------------------------------------------------------------------------------------


def test_a_unix_socket_in_a_directory_that_does_not_exist(ports: list[int], tmp_path: Path) -> None:
    line = _refused("-p", str(ports[0]), "--unix", str(tmp_path / "none" / "memrep.sock"))
    assert "--unix" in line


def test_a_unix_socket_whose_path_is_too_long(ports: list[int], tmp_path: Path) -> None:
    assert "--unix" in _refused("-p", str(ports[0]), "--unix", str(tmp_path / ("x" * 120)))


def test_a_file_in_the_place_of_the_unix_socket_is_left_alone(ports: list[int], tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with _started(tmp_path, "-p", str(ports[0]), "--unix", str(path)) as child:
        until(lambda: not child.running or accepts(ports[0]), PATIENCE_S, "memrep refuses or listens")
        assert path.is_file(), "memrep has deleted a file that is no socket"
        assert path.read_text() == "data"
    assert "--unix" in _refused("-p", str(ports[0]), "--unix", str(path))


def test_clients_are_served_on_a_unix_socket_even_if_an_old_one_was_left(
    ports: list[int], tmp_path: Path
) -> None:
    path = str(tmp_path / "memrep.sock")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(path)
    with _serving(tmp_path, ports[0], "-p", str(ports[0]), "--unix", path):
        assert _ask(path, b"set a 0 0 1\r\nx\r\nget a\r\n") == b"STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"


# --- options that are right ---------------------------------------------------------------------------------


def test_the_command_line_counts_before_the_environment_and_that_before_the_file(
    ports: list[int], tmp_path: Path
) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text("connections = 11\nmemory = 5\ndrain = 0.25\nverbose = true\nitem_size_max = '512k'\n")
    with _serving(
        tmp_path,
        ports[0],
        "--config",
        str(config),
        "--connections",
        "13",
        "-p",
        str(ports[0]),
        MEMREP_CONNECTIONS="12",
        MEMREP_MEMORY="6",
    ):
        found = _settings(ports[0])
    assert (found["maxconns"], found["maxbytes"], found["drain_ms"]) == ("13", str(6 << 20), "250")
    assert (found["verbosity"], found["item_size_max"]) == ("1", str(512 << 10))


def test_options_may_all_come_from_the_environment(ports: list[int], tmp_path: Path) -> None:
    config = tmp_path / "memrep.toml"
    config.write_text("memory = 7\n")
    node = f"127.0.0.1:{ports[0]}"
    with _serving(
        tmp_path,
        ports[0],
        MEMREP_CONFIG=str(config),
        MEMREP_NODES=f"tcp://{node}?weight=1",
        MEMREP_SELF=node,
        MEMREP_FAILURE_TIMEOUT="1.5",
        MEMREP_COLD_START="2",
        MEMREP_ENABLE_SHUTDOWN="1",
    ):
        found = _settings(ports[0])
    assert (found["nodes"], found["self"], found["tcpport"]) == (node, node, str(ports[0]))
    assert (found["failure_timeout_ms"], found["cold_start_ms"]) == ("1500", "2000")
    assert (found["maxbytes"], found["shutdown_command"]) == (str(7 << 20), "yes")


def test_a_node_that_is_told_only_a_port_serves_loopback_with_the_defaults(
    ports: list[int], tmp_path: Path
) -> None:
    with _serving(tmp_path, ports[0], "-p", str(ports[0])):
        found = _settings(ports[0])
        assert not accepts(ports[0] + NODE_LINK_OFFSET)
    assert (found["inter"], found["maxbytes"], found["item_size_max"]) == (
        "127.0.0.1",
        str(64 << 20),
        str(1 << 20),
    )
    assert (found["maxconns"], found["shutdown_command"], found["domain_socket"]) == ("1024", "no", "NULL")


@pytest.mark.parametrize(("size", "length"), [("2000", 2000), ("3k", 3 << 10), ("2M", 2 << 20)])
def test_an_item_size_may_be_written_as_memcached_takes_it(
    size: str, length: int, ports: list[int], tmp_path: Path
) -> None:
    with _serving(tmp_path, ports[0], "-p", str(ports[0]), "-I", size):
        assert _settings(ports[0])["item_size_max"] == str(length)


# --- the end ------------------------------------------------------------------------------------------------


def test_redis_clients_come_in_at_a_port_of_their_own_and_find_the_same_data(tmp_path: Path) -> None:
    lease = PortLease(2)
    port, redis = lease.ports
    with _serving(tmp_path, port, "-p", str(port), "--redis", str(redis)):
        assert _ask((HOST, port), b"set a 0 0 1\r\nx\r\n", b"\r\n") == b"STORED\r\n"
        assert _ask((HOST, redis), b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", b"x\r\n") == b"$1\r\nx\r\n"
        assert b"a\r\n" in _ask((HOST, redis), b"KEYS *\r\n", b"a\r\n")
    lease.close()


def test_who_minds_can_forbid_redis_clients_to_list_keys(tmp_path: Path) -> None:
    lease = PortLease(2)
    port, redis = lease.ports
    with _serving(tmp_path, port, "-p", str(port), "--redis", f"{HOST}:{redis}", "--redis-no-keys"):
        for command in (b"KEYS *", b"SCAN 0", b"RANDOMKEY"):
            assert _ask((HOST, redis), command + b"\r\n", b"\r\n").startswith(b"-NOPERM")
    lease.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(number: signal.Signals, ports: list[int], tmp_path: Path) -> None:
    with _serving(tmp_path, ports[0], "-p", str(ports[0])) as child:
        child.process.send_signal(number)
        assert child.process.wait(PATIENCE_S) == 0
        assert "memrep has stopped" in child.last_words()


def test_a_client_that_is_connected_is_served_on_for_a_while(ports: list[int], tmp_path: Path) -> None:
    with (
        _serving(tmp_path, ports[0], "-p", str(ports[0]), "--drain", "600") as child,
        socket.create_connection((HOST, ports[0])) as client,
    ):
        client.settimeout(PATIENCE_S)
        client.sendall(b"version\r\n")
        assert client.recv(100).startswith(b"VERSION ")
        child.process.send_signal(signal.SIGTERM)
        until(lambda: not accepts(ports[0]), PATIENCE_S, "nobody new is accepted")
        client.sendall(b"set a 0 0 1\r\nx\r\n")
        assert client.recv(100) == b"STORED\r\n"
        client.close()
        assert child.process.wait(PATIENCE_S) == 0


def test_a_second_signal_ends_it_at_once(ports: list[int], tmp_path: Path) -> None:
    with (
        _serving(tmp_path, ports[0], "-p", str(ports[0]), "--drain", "600") as child,
        socket.create_connection((HOST, ports[0])) as client,
    ):
        client.sendall(b"version\r\n")
        assert client.recv(100)
        child.process.send_signal(signal.SIGTERM)
        until(lambda: not accepts(ports[0]), PATIENCE_S, "nobody new is accepted")
        child.process.send_signal(signal.SIGTERM)
        assert child.process.wait(PATIENCE_S) != 0


def test_shutdown_is_obeyed_if_it_was_enabled_and_refused_if_not(ports: list[int], tmp_path: Path) -> None:
    with _serving(tmp_path, ports[0], "-p", str(ports[0])):
        assert _ask((HOST, ports[0]), b"shutdown\r\n", b"\r\n") == b"ERROR: shutdown not enabled\r\n"
    with (
        _serving(tmp_path, ports[1], "-p", str(ports[1]), "--enable-shutdown") as child,
        socket.create_connection((HOST, ports[1])) as client,
    ):
        client.sendall(b"shutdown\r\n")
        assert child.process.wait(PATIENCE_S) == 0


def test_the_port_can_be_had_again_at_once(ports: list[int], tmp_path: Path) -> None:
    for _ in range(2):
        with _serving(tmp_path, ports[0], "-p", str(ports[0])) as child:
            assert _ask((HOST, ports[0]), b"get a\r\n") == b"END\r\n"
            assert child.terminate(PATIENCE_S) == 0


#: Writes down what is loaded, when Python begins with it.
TELLS: Final = """
import os, sys
file = os.open(os.environ["LOADED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sys.addaudithook(lambda event, args: event == "import" and os.write(file, f"{args[0]}\\n".encode()))
"""

#: Each tongue, what each answers to a mistake, and what an operator asks.
EVERYTHING: Final = [
    b"set a 0 0 1\r\n1\r\n", b"incr a 1\r\n", b"mg a v t\r\n", b"me a\r\n", b"nonsense\r\n", b"verbosity 1\r\n",
    b"set a 0 99999999999 1\r\n1\r\n", b"stats\r\n", b"stats cluster\r\n", b"stats settings\r\n",
    b"stats slabs\r\n", b"stats items\r\n", b"stats conns\r\n", b"lru_crawler metadump all\r\n",
    b"flush_all\r\n",
    b"POST / HTTP/1.1\r\n\r\n", b"\x80\x0b" + bytes(22), b"\x80\x10" + bytes(22), b"\x80\xff" + bytes(22),
]  # fmt: skip


def test_a_node_that_serves_loads_no_part_of_python_any_more(tmp_path: Path, ports: list[int]) -> None:
    """By then the disk may be gone, or an upgrade may have replaced the files."""
    loaded = tmp_path / "loaded"
    (tmp_path / "sitecustomize.py").write_text(TELLS)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    nodes = ",".join(f"localhost:{port}" for port in ports)
    arguments = ["--nodes", nodes, "--self", f"localhost:{ports[0]}", "--cold-start", "0.1", "-v"]
    with _serving(tmp_path, ports[0], *arguments, LOADED=str(loaded), PYTHONPATH=paths) as child:
        before = loaded.read_text().split()
        assert "memrep.daemon.daemon" in before
        for said in EVERYTHING:
            with socket.create_connection((HOST, ports[0]), PATIENCE_S) as sock:
                sock.sendall(said)
                sock.recv(1 << 16)
        with socket.create_connection((HOST, ports[0] + NODE_LINK_OFFSET), PATIENCE_S) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.recv(1 << 16)
        for number in (signal.SIGHUP, signal.SIGUSR1):
            child.process.send_signal(number)
        child.process.send_signal(signal.SIGSTOP)
        pause(0.4)
        child.process.send_signal(signal.SIGCONT)
        child.lines_with("was stopped for")
        assert child.terminate(PATIENCE_S) == 0
    assert loaded.read_text().split()[len(before) :] == []
