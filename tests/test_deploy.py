"""What deploy/ promises: the program that reads a file accepts it, and the files agree with each other.

The judges are the real ones (systemd-analyze, nft, php with its extensions). Where one is missing the test is
skipped and says so; with CI=true that is a failure, lest a pipeline without tools stay green.
"""

import importlib
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from memrep.cli.main import ABSENT, MISTAKE
from memrep.daemon.cgroup import Memory
from memrep.daemon.drain import HANDOVER_S
from memrep.errors import UsageError
from tests.real.generation import DEBIAN_13, INSTALLED, USED, Generation

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
UNIT = DEPLOY / "memrep.service"
CONFIG = DEPLOY / "memrep.toml"
NFTABLES = DEPLOY / "nftables.conf"
IPTABLES = DEPLOY / "iptables.rules"
MEMCACHE = DEPLOY / "php" / "memcache.ini"
MEMCACHED = DEPLOY / "php" / "memcached.ini"
PROFILES = ["all nodes", "local node only"]
HAPROXY = DEPLOY / "haproxy" / "memrep.cfg"
EXECUTABLE = "/opt/memrep/venv/bin/memrep"


def lacking(what: str) -> None:
    """Skip because `what` is not here; fail instead where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must not skip")
    pytest.skip(f"{what} is missing")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """The finished command, its stdout and stderr as text."""
    if shutil.which(command[0]) is None:
        lacking(command[0])
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# systemd


def unit_value(key: str) -> str:
    """The value of a key that stands exactly once in the unit."""
    values = re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert len(values) == 1, f"{key}= stands {len(values)} times"
    return str(values[0])


@pytest.fixture
def installed_unit(tmp_path: Path) -> Path:
    """The unit with its program in place: verify insists that the executable exists."""
    text = UNIT.read_text()
    assert text.count(EXECUTABLE) == 1, "the venv's path has to stand in one place"
    program = tmp_path / "memrep"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace(EXECUTABLE, str(program)))
    return unit


def test_systemd_accepts_the_unit_without_a_word(installed_unit: Path) -> None:
    done = run("systemd-analyze", "verify", str(installed_unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_is_hardened(installed_unit: Path) -> None:
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=15", str(installed_unit))
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def limited_to(directory: Path, megabytes: int) -> Memory:
    """What memrep finds where it has so much memory."""
    (directory / "cgroup").write_text("0::/\n")
    (directory / "mountinfo").write_text(f"30 24 0:26 / {directory} rw - cgroup2 cgroup2 rw\n")
    (directory / "memory.max").write_text(f"{megabytes << 20}\n")
    return Memory(directory)


def test_memrep_starts_with_the_units_limit_and_the_default_options(tmp_path: Path) -> None:
    options = documented_options()
    megabytes = int(unit_value("MemoryMax").removesuffix("M"))
    limited_to(tmp_path, megabytes).check(options["memory"] << 20, options["connections"])
    with pytest.raises(UsageError):
        limited_to(tmp_path, megabytes // 2).check(options["memory"] << 20, options["connections"])


def test_the_units_limits_fit_the_default_options() -> None:
    options = documented_options()
    megabytes = int(unit_value("MemoryMax").removesuffix("M"))
    assert megabytes >= 2 * options["memory"] + 128
    assert int(unit_value("LimitNOFILE")) > 2 * options["connections"]


def test_the_unit_lets_a_node_hand_over_before_it_is_killed() -> None:
    finish_s = 5
    assert int(unit_value("TimeoutStopSec")) >= HANDOVER_S + documented_options()["drain"] + finish_s


def test_systemd_starts_a_node_again_if_something_was_missing_and_not_after_a_mistake() -> None:
    assert unit_value("Restart") == "always"
    statuses = {MISTAKE: True, ABSENT: False}
    assert {
        status: str(status) in unit_value("RestartPreventExitStatus").split() for status in statuses
    } == statuses


def test_the_credential_in_the_unit_is_the_secret_of_the_config_file() -> None:
    text = UNIT.read_text()
    assert f"#LoadCredential=secret:{documented_options()['secret_file']}\n" in text
    assert "#Environment=MEMREP_SECRET_FILE=%d/secret\n" in text


def test_the_units_socket_directory_is_the_one_in_config_and_php() -> None:
    directory = f"/run/{unit_value('RuntimeDirectory')}"
    socket = documented_options()["unix"]
    assert str(Path(socket).parent) == directory
    assert documented_options()["admin"] == f"{directory}/admin.sock"
    assert php_settings(MEMCACHE, "local node only")["session.save_path"] == f"unix://{socket}"
    assert php_settings(MEMCACHED, "local node only")["session.save_path"] == socket


# The config file


def documented_options() -> dict[str, Any]:
    """memrep.toml with its `#key = value` lines switched on."""
    return tomllib.loads(re.sub(r"^#(?=\w+ = )", "", CONFIG.read_text(), flags=re.MULTILINE))


def option_names() -> frozenset[str]:
    """The keys that memrep itself takes from a config file."""
    try:
        cli = importlib.import_module("memrep.cli.serve")
    except ModuleNotFoundError as error:
        if error.name not in {"memrep", "memrep.cli", "memrep.cli.serve"}:
            raise
        lacking("memrep.cli.serve")
    names: frozenset[str] = cli.OPTION_NAMES
    return names


def test_the_config_file_as_it_stands_sets_only_the_nodes() -> None:
    assert tomllib.loads(CONFIG.read_text()).keys() == {"nodes"}


def test_every_key_in_the_config_file_is_an_option() -> None:
    assert documented_options().keys() - option_names() == set()


#: Accepted, lest an upgrade stop at a file of before; they mean nothing.
OF_EARLIER_VERSIONS = {"pecl_walk"}


def test_every_option_is_explained_in_the_config_file() -> None:
    assert option_names() - documented_options().keys() == OF_EARLIER_VERSIONS


# PHP


def with_profile(piece: Path, profile: str) -> str:
    """The ini text for one profile. "local node only" is the `;name = value` lines: the last ones win."""
    text = piece.read_text()
    if profile == "all nodes":
        return text
    changed, lines = re.subn(r"^;(?=[\w.]+ = )", "", text, flags=re.MULTILINE)
    assert lines, "no alternative profile in the file"
    return changed


def php_settings(piece: Path, profile: str) -> dict[str, str]:
    """What the file says, read by plain rules that do not need PHP."""
    pairs = re.findall(r"^([\w.]+) = (.*)$", with_profile(piece, profile), re.MULTILINE)
    return {name: value.strip('"') for name, value in pairs}


def php(ini: Path, code: str) -> str:
    """stdout of `code` under this php.ini; conf.d loads the extensions. Not one warning is allowed."""
    loud = ("-d", "display_startup_errors=1", "-d", "display_errors=stderr")
    done = run(*USED.generation.command("php"), *loud, "-c", str(ini), "-r", code)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(
    params=[
        pytest.param((generation, piece, profile), id=f"{generation}: {piece.stem}, {profile}")
        for generation in (INSTALLED, DEBIAN_13)
        for piece in (MEMCACHE, MEMCACHED)
        for profile in PROFILES
    ]
)
def ini(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each piece in each profile, as a php.ini of each generation of PHP."""
    generation: Generation = request.param[0]
    piece: Path = request.param[1]
    profile: str = request.param[2]
    monkeypatch.setattr(USED, "generation", generation)
    path = tmp_path / piece.name
    path.write_text(with_profile(piece, profile))
    if not json.loads(php(path, f"echo json_encode(extension_loaded('{piece.stem}'));")):
        lacking(f"php's extension {piece.stem}")
    return path


def test_php_knows_every_directive_and_takes_its_value(ini: Path) -> None:
    wanted = json.loads(php(ini, f"echo json_encode(parse_ini_file('{ini}', false, INI_SCANNER_NORMAL));"))
    known = json.loads(php(ini, "echo json_encode(ini_get_all(null, false));"))
    assert wanted, "nothing in the file"
    assert wanted.keys() - known.keys() == set()
    assert {name: known[name] for name in wanted} == wanted


def test_php_finds_the_session_handler(ini: Path) -> None:
    handler = php(ini, "echo session_module_name();")
    assert handler == ini.stem


def addresses(nodes: str) -> list[str]:
    """host:port of each entry of a save_path or --nodes."""
    return [entry.removeprefix("tcp://").partition("?")[0] for entry in nodes.split(",")]


def test_one_list_of_nodes_in_all_files() -> None:
    nodes = tomllib.loads(CONFIG.read_text())["nodes"]
    assert php_settings(MEMCACHE, "all nodes")["session.save_path"] == nodes
    assert addresses(php_settings(MEMCACHED, "all nodes")["session.save_path"]) == addresses(nodes)
    defined = re.findall(r"^define nodes = \{ (.*) \}$", NFTABLES.read_text(), re.MULTILINE)
    assert [f"{host}:11211" for host in defined[0].split(", ")] == addresses(nodes)


def test_the_iptables_rules_let_in_just_these_nodes_at_both_ports() -> None:
    nodes = addresses(tomllib.loads(CONFIG.read_text())["nodes"])
    let_in = re.findall(r"^-A INPUT -s (\S+) .* --dport (\d+) -j ACCEPT$", IPTABLES.read_text(), re.MULTILINE)
    hosts = [node.split(":")[0] for node in nodes]
    assert let_in == [(host, port) for port in ("11211", "21211") for host in hosts]


def test_memcache_reads_from_and_writes_to_every_node() -> None:
    settings = php_settings(MEMCACHE, "all nodes")
    path = settings["session.save_path"]
    assert int(settings["memcache.session_redundancy"]) == len(addresses(path))
    assert "persistent" not in path
    # The client's timeout is 1 s unless the path says less, and memrep may need 0.8 s.
    assert "timeout" not in path


def test_memcached_waits_longer_for_a_lock_than_a_lock_can_live() -> None:
    settings = php_settings(MEMCACHED, "all nodes")
    keys = ("wait_min", "wait_max", "retries", "expire")
    pause, longest, retries, expire = (int(settings[f"memcached.sess_lock_{key}"]) for key in keys)
    # The client doubles its pause in milliseconds after each try, up to the longest.
    assert sum(min(pause * 2**n, longest) for n in range(retries)) > expire * 1000


def test_php_memcached_does_not_get_a_scheme() -> None:
    # It would look up a host named "tcp".
    assert "tcp://" not in php_settings(MEMCACHED, "all nodes")["session.save_path"]


# nftables


def test_nft_accepts_the_ruleset() -> None:
    done = run("nft", "-c", "-f", str(NFTABLES))
    if "Operation not permitted" in done.stderr:
        lacking("the right to ask the kernel about a ruleset (CAP_NET_ADMIN)")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_firewall_never_answers_for_a_node_link() -> None:
    # A reset from 21211 tells a peer that nobody listens there, and it shuts a living node out at once.
    iptables = [line for line in IPTABLES.read_text().splitlines() if not line.startswith("#")]
    refuses = [line for line in iptables if "REJECT" in line]
    assert refuses
    assert all("--dport 11211 " in line for line in refuses)
    assert ":INPUT DROP [0:0]" in iptables
    rules = [line.strip() for line in NFTABLES.read_text().splitlines() if not line.strip().startswith("#")]
    resets = [rule for rule in rules if "reject" in rule]
    assert resets, "the client port has to refuse, a dropped SYN costs PHP a second"
    assert all("tcp dport { 11211, 6379 } " in rule for rule in resets)
    assert "tcp dport 21211 counter drop" in rules


# Redis' clients


def test_the_readme_has_laravels_lines_as_they_are_in_the_file() -> None:
    readme = (DEPLOY.parent / "README.md").read_text()
    shown = re.findall(r"^    ((?:SESSION|REDIS|CACHE)_\w+=.*)$", readme, re.MULTILINE)
    lines = (DEPLOY / "laravel" / "redis.env").read_text().splitlines()
    assert len(shown) == 3
    assert sorted(shown) == sorted(line for line in lines if line and not line.startswith("#"))


def test_all_clients_of_redis_know_the_nodes_by_one_name_and_have_the_same_patience() -> None:
    url = re.compile(r'"tcp://memrep:6379\?timeout=1&read_timeout=2"')
    assert url.search((DEPLOY / "laravel" / "redis.env").read_text())
    assert url.search((DEPLOY / "php" / "phpredis.ini").read_text())
    assert "connect: ['memrep', 6379, 1, null, 0, 2]" in (DEPLOY / "symfony" / "redis.yaml").read_text()


def test_every_file_that_the_page_names_is_there() -> None:
    page = (DEPLOY / "README.md").read_text()
    named = re.findall(r"`((?:laravel|symfony|wordpress|drupal|django|php)/[\w.-]+)`", page)
    assert len(named) > 15
    assert [name for name in named if not (DEPLOY / name).exists()] == []


def test_haproxy_accepts_the_section_by_itself_and_behind_debians_own_without_a_word(tmp_path: Path) -> None:
    assert run("/usr/sbin/haproxy", "-c", "-f", str(HAPROXY)).returncode == 0
    debians = Path("/etc/haproxy/haproxy.cfg").read_text()
    whole = tmp_path / "haproxy.cfg"
    whole.write_text(f"{debians}\n{HAPROXY.read_text()}")
    done = run("/usr/sbin/haproxy", "-c", "-f", str(whole))
    assert (done.returncode, "WARNING" in done.stderr, "ALERT" in done.stderr) == (0, False, False), done.stderr


def test_clients_of_redis_find_the_nodes_of_the_config_file() -> None:
    hosts = [address.split(":")[0] for address in addresses(tomllib.loads(CONFIG.read_text())["nodes"])]
    for path in (HAPROXY, DEPLOY / "node" / "ioredis.mjs", DEPLOY / "node" / "node-redis.mjs"):
        assert re.findall(r"10\.\d+\.\d+\.\d+", path.read_text()) == hosts, path.name
