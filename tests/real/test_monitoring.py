"""The tools with which memcached is watched, on a node of a cluster: each gets what it reads, none waits long.

Run are Debian's: memcached-tool, munin's plugin, Zabbix's agent, libmemcached's tools, and PHP's classes. What
other tools read is a list below, taken from their documentation: telegraf, Datadog's mcache, collectd, Zabbix's
template, and memcached_exporter, whose way of reading is told in `exported`. All names and kinds of figures are
held against memcached's own.
"""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cluster import Cluster, Unreplicated
from .processes import HOST, find_program, missing

pytestmark = pytest.mark.real

#: How long a tool may take, s. One that waits for something that never comes takes for ever.
PATIENCE_S = 20

#: What tools read of the general group beside what every server has.
READ = {
    "telegraf": """accepting_conns auth_cmds auth_errors bytes bytes_read bytes_written cas_badval cas_hits
        cas_misses cmd_flush cmd_get cmd_set cmd_touch conn_yields connection_structures curr_connections
        curr_items decr_hits decr_misses delete_hits delete_misses evicted_unfetched evictions
        expired_unfetched get_expired get_flushed get_hits get_misses incr_hits incr_misses limit_maxbytes
        listen_disabled_num max_connections reclaimed rejected_connections store_no_memory store_too_large
        threads total_connections total_items touch_hits touch_misses uptime""",
    "datadog": """bytes bytes_read bytes_written cas_badval cas_hits cas_misses cmd_flush cmd_get cmd_set
        connection_structures curr_connections curr_items delete_hits delete_misses evictions get_hits
        get_misses limit_maxbytes listen_disabled_num pointer_size rusage_system rusage_user threads
        total_connections total_items uptime""",
    "zabbix": """bytes bytes_read bytes_written cmd_flush cmd_get cmd_set conn_yields connection_structures
        curr_connections curr_items evictions get_hits get_misses limit_maxbytes listen_disabled_num
        max_connections pid reclaimed rusage_system rusage_user threads total_connections uptime version""",
    "collectd": """bytes bytes_read bytes_written cmd_flush cmd_get cmd_meta cmd_set cmd_touch
        curr_connections curr_items decr_hits decr_misses delete_hits delete_misses evictions get_hits
        get_misses incr_hits incr_misses limit_maxbytes listen_disabled_num rusage_system rusage_user threads
        total_items""",
    "netdata": "reclaimed",
    "pcp": "pid time version total_items",
}

#: What memcached_exporter reads as a number, where it is.
EXPORTED = """accepting_conns bytes bytes_read bytes_written cas_badval cas_hits cas_misses cmd_flush
    cmd_get cmd_set conn_yields crawler_items_checked crawler_reclaimed curr_connections curr_items
    decr_hits decr_misses delete_hits delete_misses direct_reclaims evictions get_hits get_misses incr_hits
    incr_misses limit_maxbytes listen_disabled_num lru_crawler_starts moves_to_cold moves_to_warm
    moves_within_lru reclaimed rejected_connections store_no_memory store_too_large time total_connections
    total_items total_malloced touch_hits touch_misses uptime"""

#: What memcached tells of insides that memrep has not.
INSIDES = re.compile(
    r"hash_|slab|lru|crawler|log_|read_buf|response_obj|moves_|direct_reclaims|evicted_active|libevent"
    r"|unexpected_napi|round_robin"
)


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


def used(cluster: Cluster) -> None:
    """Let something have happened there."""
    with socket.create_connection((HOST, cluster.ports[0]), timeout=5) as client:
        for number in range(10):
            client.sendall(b"set k%d 0 100 1\r\nx\r\nget k%d nothing\r\n" % (number, number))
        reply = b""
        while reply.count(b"END\r\n") < 10:
            reply += client.recv(1 << 16)


def tool(*command: str, **environment: str) -> str:
    """What a tool prints, once it has ended."""
    done = subprocess.run(
        command, env=environment or None, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", READ)
def test_each_figure_that_a_tool_reads_is_there(nodes: Cluster, name: str) -> None:
    assert set(READ[name].split()) - nodes.stats(0, "").keys() == set()


def kind(text: str) -> str:
    """What a figure looks like."""
    for name, pattern in (("integer", r"\d+"), ("seconds", r"\d+\.\d{6}"), ("version", r"\d+\.\d+\.\d+")):
        if re.fullmatch(pattern, text):
            return name
    return text if text in ("yes", "no", "on", "off", "NULL") else "text"


@pytest.mark.parametrize("group", ["", "settings", "items", "slabs", "sizes"])
def test_figures_are_of_the_kind_that_memcacheds_are(nodes: Cluster, memcached: Cluster, group: str) -> None:
    ours, theirs = nodes.stats(0, group), memcached.stats(0, group)
    both = ours.keys() & theirs.keys()
    assert both, "a group without a name in common"
    told = {"yes", "no", "on", "off", "NULL", "text"}
    for name in both:
        kinds = {kind(ours[name]), kind(theirs[name])}
        assert len(kinds) == 1 or kinds <= told, f"{name}: {ours[name]!r}, memcached says {theirs[name]!r}"


def test_nothing_of_the_general_group_is_missing_but_memcacheds_insides(
    nodes: Cluster, memcached: Cluster
) -> None:
    lacking = memcached.stats(0, "").keys() - nodes.stats(0, "").keys()
    assert {name for name in lacking if not INSIDES.search(name)} == set()


def exported(cluster: Cluster) -> dict[str, float]:
    """The figures that prometheus/memcached_exporter makes; fails where it would report the server as down.

    It reads four groups up to their END, and must be able to read as numbers all that it knows and finds.
    Rusage has to have one dot, a slab class all of its counters, a crawler its settings.
    """
    slabs = cluster.stats(0, "slabs")
    general = cluster.stats(0, "") | {name: text for name, text in slabs.items() if ":" not in name}
    metrics = {name: float(general[name]) for name in EXPORTED.split() if name in general}
    for name in ("rusage_user", "rusage_system"):
        seconds, micros = general[name].split(".")
        metrics[name] = float(seconds) + float(micros) / 1e6
    metrics["commands_set"] = metrics["cmd_set"] - sum(
        metrics[name] for name in ("cas_misses", "cas_hits", "cas_badval")
    )
    for name, text in cluster.stats(0, "items").items():
        _, number, figure = name.split(":")
        metrics[f"slab_{int(number)}_{figure}"] = float(text)
    for slab in {name.split(":")[0] for name in slabs if ":" in name}:
        for figure in ("cmd_set", "cas_hits", "cas_badval"):
            metrics[f"class_{slab}_{figure}"] = float(slabs[f"{slab}:{figure}"])
    settings = cluster.stats(0, "settings")
    metrics["max_connections"] = float(settings["maxconns"])
    if settings["lru_crawler"] == "yes":
        for name in ("lru_crawler_sleep", "lru_crawler_tocrawl", "hot_lru_pct", "warm_lru_pct"):
            metrics[name] = float(settings[name])
    return metrics


def test_prometheus_exporter_reports_the_node_as_up(nodes: Cluster, memcached: Cluster) -> None:
    ours, theirs = exported(nodes), exported(memcached)
    for name in ("curr_items", "cmd_get", "get_hits", "get_misses", "commands_set", "slab_1_number"):
        assert ours[name] == theirs[name], name
    assert ours["total_malloced"] > 0


@pytest.mark.parametrize("mode", ["display", "stats", "settings", "sizes", "dump", "keys"])
def test_memcached_tool_ends_in_every_mode(nodes: Cluster, mode: str) -> None:
    script = Path("/usr/share/memcached/scripts/memcached-tool")
    if not script.exists():
        missing("memcached-tool")
    told = tool("perl", str(script), f"{HOST}:{nodes.ports[0]}", mode)
    assert "k1" not in told
    assert {"stats": "get_hits", "settings": "maxconns", "sizes": "sizes_status"}.get(mode, "") in told


def test_munins_plugin_draws_every_graph(nodes: Cluster, memcached: Cluster, tmp_path: Path) -> None:
    plugin = Path("/usr/share/munin/plugins/memcached_")
    if not plugin.exists():
        missing("munin's plugin memcached_")
    graphs = {"bytes": "memcache_bytes_read", "counters": "memcache_curr_items", "rates": "memcache_cache_hits"}
    for graph, figure in graphs.items():
        (tmp_path / f"memcached_{graph}").symlink_to(plugin)
        drawn: list[dict[str, str]] = []
        for cluster in (nodes, memcached):
            where = {"host": HOST, "port": str(cluster.ports[0]), "PATH": "/usr/bin:/bin"}
            assert figure in tool("perl", str(tmp_path / f"memcached_{graph}"), "config", **where)
            told = tool("perl", str(tmp_path / f"memcached_{graph}"), **where)
            drawn.append(dict(re.findall(r"^(\S+)\.value (\S+)$", told, re.MULTILINE)))
        assert drawn[0].keys() == drawn[1].keys()
        assert all(value.isdigit() for value in drawn[0].values())
        if graph == "rates":
            assert drawn[0][figure] == drawn[1][figure] == "10"


def test_zabbix_agent_reads_every_group(nodes: Cluster) -> None:
    agent = find_program("zabbix_agent2")
    address = f"tcp://{HOST}:{nodes.ports[0]}"

    def item(key: str) -> str:
        found = re.search(r"\[s\|(.*)\]\s*$", tool(agent, "-t", key))
        assert found is not None, f"{key} is not supported"
        return found[1]

    assert item(f"memcached.ping[{address}]") == "1"
    general = json.loads(item(f"memcached.stats[{address}]"))
    assert set(READ["zabbix"].split()) <= general.keys()
    for group, name in (("items", "items:1:number"), ("slabs", "total_malloced"), ("settings", "maxconns")):
        assert name in json.loads(item(f"memcached.stats[{address},,,{group}]"))


def test_libmemcacheds_tools_end(nodes: Cluster) -> None:
    servers = f"--servers={HOST}:{nodes.ports[0]}"
    tool(find_program("memcping"), servers)
    assert "curr_items: 10" in tool(find_program("memcstat"), servers)
    assert tool(find_program("memcdump"), servers) == ""


@pytest.mark.parametrize(
    "ask",
    [
        "$m = new Memcached; $m->setOption(Memcached::OPT_BINARY_PROTOCOL, {binary});"
        '$m->addServer("{host}", {port});'
        'echo json_encode([$m->getVersion(), $m->getStats(), $m->getStats("slabs"), $m->getStats("items")]);',
        '$m = new Memcache; $m->addServer("{host}", {port});'
        'echo json_encode([$m->getVersion(), $m->getExtendedStats(), $m->getExtendedStats("slabs"),'
        '$m->getExtendedStats("items"), $m->getExtendedStats("cachedump", 1, 10)]);',
    ],
    ids=["memcached", "memcache"],
)
@pytest.mark.parametrize("binary", ["false", "true"])
def test_phps_classes_read_statistics(nodes: Cluster, ask: str, binary: str) -> None:
    program = ask
    for name, text in (("host", HOST), ("port", str(nodes.ports[0])), ("binary", binary)):
        program = program.replace(f"{{{name}}}", text)
    version, general, *_ = json.loads(tool(find_program("php8.2", "php"), "-r", program))
    assert "1.6.18" in (version if isinstance(version, str) else version.values())
    assert general[f"{HOST}:{nodes.ports[0]}"]["curr_items"] in (10, "10")
