"""What watches memcached day and night watches a node of a cluster, and says of it what it says of memcached.

Run are Debian's collectd, monit, HAProxy, netdata's plugin and check_memcached of monitoring-plugins-contrib,
and the clients of Python that ask for statistics. docs/monitoring.md has how each is set up.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import bmemcached
import pylibmc
import pytest
from pymemcache.client.base import Client

from .asked import command as asked_by
from .cluster import Cluster, Unreplicated
from .processes import HOST, Child, Family, PortLease, find_program, missing, until
from .test_http import Asked
from .test_monitoring import INSIDES, used

pytestmark = pytest.mark.real

PATIENCE_S: Final = 30


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(2, tmp_path_factory.mktemp("nodes")) as cluster:
        used(cluster)
        yield cluster


@pytest.fixture(scope="module")
def memcached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Unreplicated(1, tmp_path_factory.mktemp("memcached")) as cluster:
        used(cluster)
        yield cluster


def installed(path: str) -> Path:
    """This file of a package's."""
    if not Path(path).exists():
        missing(path)
    return Path(path)


def test_check_memcached_says_of_each_node_what_it_says_of_memcached(
    nodes: Cluster, memcached: Cluster
) -> None:
    """With a key for each, for it keeps what it saw last in the store, which all nodes share."""
    plugin = installed("/usr/lib/nagios/plugins/check_memcached")

    def figures(port: int) -> dict[str, str]:
        command = [str(plugin), "-H", HOST, "-p", str(port), "-T", "0", "-w", "0", "-k", f"check_{port}"]
        for _ in range(2):  # the first time it has nothing to compare with
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
            assert done.returncode == 0, done.stdout
        told = dict(re.findall(r"(\w+)=(\d+)(?=\s|$)", done.stdout.partition("|")[2]))
        assert all(int(figure) < 1 << 32 for figure in told.values()), told
        return {
            name: figure for name, figure in told.items() if name.startswith("delta_") and name != "delta_time"
        }

    ours = [figures(port) for port in nodes.ports]
    theirs = figures(memcached.ports[0])
    assert len(theirs) > 3
    assert ours == [theirs, theirs]


def test_collectd_writes_every_figure_of_a_node(nodes: Cluster, memcached: Cluster, tmp_path: Path) -> None:
    installed("/usr/lib/collectd/memcached.so")
    servers = {"memrep": nodes.ports[0], "memcached": memcached.ports[0]}
    instances = "".join(
        f'<Instance "{name}">\nHost "{HOST}"\nPort "{port}"\n</Instance>\n' for name, port in servers.items()
    )
    configuration = tmp_path / "collectd.conf"
    configuration.write_text(
        f'Hostname "here"\nFQDNLookup false\nInterval 1\nBaseDir "{tmp_path}"\nPIDFile "{tmp_path}/pid"\n'
        'TypesDB "/usr/share/collectd/types.db"\nLoadPlugin memcached\nLoadPlugin csv\n'
        f'<Plugin csv>\nDataDir "{tmp_path}/csv"\nStoreRates false\n</Plugin>\n'
        f"<Plugin memcached>\n{instances}</Plugin>\n"
    )

    def written(name: str) -> dict[str, str]:
        """The last line of each file, without the time."""
        files = (tmp_path / "csv" / "here" / f"memcached-{name}").glob("*")
        lines = {file.name: file.read_text().splitlines() for file in files}
        return {file: told[-1].partition(",")[2] for file, told in lines.items() if told}

    with Family() as family:
        family.add(Child("collectd", [find_program("collectd"), "-f", "-C", str(configuration)], tmp_path))

        def agreed() -> bool:
            ours, theirs = written("memrep"), written("memcached")
            same = all(
                ours.get(file) == figure
                for file, figure in theirs.items()
                if re.match("memcached_(command-[gs]et|ops-(hits|misses))", file)
            )
            return len(theirs) > 20 and ours.keys() == theirs.keys() and same

        until(agreed, PATIENCE_S, "collectd has of a node all that it has of memcached")


def test_netdata_draws_every_chart_of_a_node(nodes: Cluster, memcached: Cluster, tmp_path: Path) -> None:
    plugin = installed("/usr/lib/netdata/plugins.d/python.d.plugin")
    installed("/usr/lib/netdata/python.d/memcached.chart.py")
    servers = {"memrep": nodes.ports[0], "memcached": memcached.ports[0]}
    (tmp_path / "python.d").mkdir()
    (tmp_path / "python.d.conf").write_text("default_run: no\nmemcached: yes\n")
    (tmp_path / "python.d" / "memcached.conf").write_text(
        "".join(
            f"{name}:\n  name: a_{name}\n  host: {HOST}\n  port: {port}\n" for name, port in servers.items()
        )
    )
    places = {
        "USER_CONFIG_DIR": str(tmp_path),
        "STOCK_CONFIG_DIR": "/usr/lib/netdata/conf.d",
        "UPDATE_EVERY": "1",
    }
    places |= {"PLUGINS_DIR": str(plugin.parent), "LIB_DIR": str(tmp_path), "LOCK_DIR": str(tmp_path)}
    environment = {f"NETDATA_{name}": place for name, place in places.items()} | {"PATH": "/usr/bin:/bin"}
    with Family() as family:
        command = ["/usr/bin/python3", str(plugin), "memcached", "1"]
        child = family.add(Child("netdata", command, tmp_path, env=environment))

        def drawn(name: str) -> dict[str, str]:
            charts = re.findall(
                rf"^BEGIN memcached_a_{name}\.(\w+) .*\n((?:SET .*\n)+)", child.log.read_text(), re.MULTILINE
            )
            return {
                f"{chart} {figure}": value
                for chart, lines in charts
                for figure, value in re.findall(r"SET '(\w+)' = (\d+)", lines)
            }

        def agreed() -> bool:
            ours, theirs = drawn("memrep"), drawn("memcached")
            same = ("get get_hits", "get get_misses", "set_rate cmd_set")
            return (
                len(theirs) > 20 and ours.keys() == theirs.keys() and all(ours[it] == theirs[it] for it in same)
            )

        until(agreed, PATIENCE_S, "netdata draws of a node all that it draws of memcached")


def names(stats: dict[bytes, object] | dict[str, object]) -> set[str]:
    """Of the figures, but for those of memcached's insides."""
    spelled = {name.decode() if isinstance(name, bytes) else name for name in stats}
    return {name for name in spelled if not INSIDES.search(name)}


def pymemcaches(port: int) -> dict[bytes, object]:
    with closing(Client((HOST, port))) as client:
        return dict(client.stats())


def pylibmcs(port: int) -> dict[str, object]:
    ((_, told),) = pylibmc.Client([f"{HOST}:{port}"]).get_stats()
    return dict(told)


def bmemcacheds(port: int) -> dict[str, object]:
    client = bmemcached.Client((f"{HOST}:{port}",))
    (told,) = client.stats().values()
    client.disconnect_all()
    return dict(told)


@pytest.mark.parametrize("ask", [pymemcaches, pylibmcs, bmemcacheds])
def test_pythons_clients_read_statistics(
    nodes: Cluster, memcached: Cluster, ask: Callable[[int], dict[bytes, object] | dict[str, object]]
) -> None:
    ours, theirs = ask(nodes.ports[0]), ask(memcached.ports[0])
    assert len(names(theirs)) > 20
    assert names(theirs) <= names(ours)


# --- those that tell whether a node is there


class Balanced(Asked):
    """Nodes, and a free port beside them."""

    def __init__(self, count: int, directory: Path) -> None:
        super().__init__(count, directory)
        self._spare = PortLease(1)
        self.free = self._spare.ports[0]

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        super().__exit__(kind, failure, trace)
        self._spare.close()


def monit(nodes: Balanced, directory: Path, family: Family) -> Callable[[int], bool]:
    """Whether monit finds both ports of a node well."""
    rules = directory / "monitrc"
    checks = "".join(
        f"check host node{i} with address {HOST}\n"
        f"  if failed port {nodes.ports[i]} protocol memcache with timeout 5 seconds then alert\n"
        f"  if failed port {nodes.http_port(i)}"
        ' protocol http request "/ready" with timeout 5 seconds then alert\n'
        for i in range(nodes.count)
    )
    files = "".join(f"set {what}file {directory}/monit.{what}\n" for what in ("pid", "state", "id"))
    rules.write_text(
        f"set daemon 1\n{files}set httpd unixsocket {directory}/monit.sock allow watcher:watcher\n{checks}"
    )
    rules.chmod(0o600)
    program = find_program("monit")
    family.add(Child("monit", [program, "-I", "-c", str(rules)], directory))

    def well(i: int) -> bool:
        done = subprocess.run(
            [program, "-B", "-c", str(rules), "summary"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return re.search(rf"node{i} +OK ", done.stdout) is not None

    return well


def memrep_check(nodes: Balanced, directory: Path, family: Family) -> Callable[[int], bool]:
    """Whether memrep's own plugin finds that a node serves."""
    return lambda i: asked_by(directory / f"admin{i}.sock", "check", "serving")[0] == 0


def haproxy(
    check: str, checked: Callable[[Balanced, int], int]
) -> Callable[[Balanced, Path, Family], Callable[[int], bool]]:
    """Whether HAProxy sends clients to a node, which it asks this way at this port."""

    def begin(nodes: Balanced, directory: Path, family: Family) -> Callable[[int], bool]:
        path = directory / "haproxy.sock"
        servers = "".join(
            f"  server node{i} {HOST}:{nodes.ports[i]} check inter 200 fall 2 rise 1 port {checked(nodes, i)}\n"
            for i in range(nodes.count)
        )
        configuration = directory / "haproxy.cfg"
        configuration.write_text(
            f"global\n  stats socket {path}\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1m\n"
            f"  timeout server 1m\nlisten memrep\n  bind {HOST}:{nodes.free}\n{check}{servers}"
        )
        family.add(Child("haproxy", [find_program("haproxy"), "-db", "-f", str(configuration)], directory))

        def well(i: int) -> bool:
            told = b""
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(path))
                    client.sendall(b"show stat\n")
                    while data := client.recv(1 << 16):
                        told += data
            except OSError:
                return False
            return re.search(rf"^memrep,node{i},.*,UP,".encode(), told, re.MULTILINE) is not None

        return well

    return begin


VERSION: Final = "  option tcp-check\n  tcp-check send version\\r\\n\n  tcp-check expect string VERSION\n"
READY: Final = "  option httpchk GET /ready\n"


@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(memrep_check, id="memrep-check"),
        pytest.param(monit, id="monit"),
        pytest.param(haproxy(VERSION, lambda nodes, i: nodes.ports[i]), id="haproxy-version"),
        pytest.param(haproxy(READY, lambda nodes, i: nodes.http_port(i)), id="haproxy-ready"),
    ],
)
def test_who_asks_whether_a_node_is_there_sees_it_go_and_come_back(
    watch: Callable[[Balanced, Path, Family], Callable[[int], bool]], tmp_path: Path
) -> None:
    with Balanced(2, tmp_path) as nodes, Family() as family:
        well = watch(nodes, tmp_path, family)
        until(lambda: well(0) and well(1), PATIENCE_S, "both nodes are well")
        nodes.kill(1)
        until(lambda: well(0) and not well(1), PATIENCE_S, "the node that was killed is missed")
        nodes.start(1)
        until(lambda: well(0) and well(1), PATIENCE_S, "it is there again")
