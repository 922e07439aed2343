"""The maps in memrep's docstrings hold: arrows point down only, and nothing below the daemon does any I/O."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

import memrep

ROOT: Final = Path(memrep.__file__).parent
TESTS: Final = Path(__file__).parent

#: What only the daemon may import: everything that reads a clock, waits, or reaches the world.
DAEMONS_OWN: Final = frozenset(
    [
        "trio",
        "asyncio",
        "threading",
        "socket",
        "select",
        "selectors",
        "ssl",
        "time",
        "resource",
        "signal",
        "os",
        "subprocess",
        "secrets",
        "random",
    ]
)

MODULE_LINES_MAX: Final = 350
FUNCTION_LINES_MAX: Final = 70
PUBLIC_METHODS_MAX: Final = 20
PARAMETERS_MAX: Final = 6


def _modules() -> dict[str, ast.Module]:
    """Every module under its name without the leading `memrep.`; memrep itself as ""."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = ast.parse(path.read_text("utf-8"), str(path))
    return found


MODULES: Final = _modules()


def _map(tree: ast.Module) -> list[str]:
    """The lines of the map at the end of a package's docstring, without what they say of each room."""
    block = (ast.get_docstring(tree) or "").rpartition("\n\n")[2]
    return [re.split(r"\s{2,}", line.strip())[0] for line in block.splitlines()]


#: The floors, lowest first, as the docstring of memrep has them; a module belongs to that of its first name.
FLOORS: Final = [line.split() for line in _map(MODULES[""])]

PACKAGES: Final = [name for name in MODULES if any(other.startswith(f"{name}.") for other in MODULES)]
each_module = pytest.mark.parametrize("name", [name for name in MODULES if name])


def _imports(tree: ast.Module) -> Iterator[str]:
    """The full names of the modules that are imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole.removeprefix("memrep.") in MODULES else node.module


def _own(tree: ast.Module) -> set[str]:
    """The modules of memrep that are imported; memrep itself, which holds only its version, is none."""
    return {name.removeprefix("memrep.") for name in _imports(tree) if name.startswith("memrep.")}


def _foreign(tree: ast.Module) -> set[str]:
    """The packages from elsewhere that are imported."""
    return {name.split(".")[0] for name in _imports(tree)} - {"memrep"}


def _floor(name: str) -> int:
    (number,) = (i for i, floor in enumerate(FLOORS) if name.split(".", maxsplit=1)[0] in floor)
    return number


def _is_below_the_daemon(name: str) -> bool:
    return name == "" or _floor(name) < _floor("daemon")


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@each_module
def test_a_module_stands_on_exactly_one_floor(name: str) -> None:
    assert 0 <= _floor(name) < len(FLOORS)


@each_module
def test_arrows_point_neither_up_nor_sideways(name: str) -> None:
    room = name.split(".", maxsplit=1)[0]
    others = {other for other in _own(MODULES[name]) if other.split(".", maxsplit=1)[0] != room}
    assert not {other for other in others if _floor(other) >= _floor(name)}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_of_a_package_names_each_of_its_rooms_once(package: str) -> None:
    inside = f"{package}." if package else ""
    children = {name[len(inside) :].split(".")[0] for name in MODULES if name and name.startswith(inside)}
    assert sorted(" ".join(_map(MODULES[package])).split()) == sorted(children)


@pytest.mark.parametrize("package", [package for package in PACKAGES if package])
def test_a_package_says_what_its_rule_is(package: str) -> None:
    assert "Rule: " in (ast.get_docstring(MODULES[package]) or "")


def test_arrows_make_no_circle() -> None:
    arrows = {name: _own(tree) for name, tree in MODULES.items()}
    assert len(list(TopologicalSorter(arrows).static_order())) >= len(MODULES)


@each_module
def test_what_stands_below_the_protocols_needs_nothing_but_attrs_msgspec_and_values(name: str) -> None:
    if _floor(name) < _floor("protocol"):
        assert _foreign(MODULES[name]) <= {
            "__future__",
            "attrs",
            "collections",
            "enum",
            "functools",
            "hashlib",
            "hmac",
            "ipaddress",
            "itertools",
            "msgspec",
            "re",
            "struct",
            "typing",
            "zlib",
        }


@each_module
def test_no_protocol_of_clients_knows_replication(name: str) -> None:
    if name.split(".", maxsplit=1)[0] == "protocol":
        assert "replication" not in {other.split(".")[0] for other in _own(MODULES[name])}


#: Who may know php/: the wiring of a node, its options, and what stands above the node.
PHP_KNOWN_BY: Final = {"node.build", "node.options", "php", "daemon", "cli"}


@each_module
def test_php_is_known_to_the_wiring_only(name: str) -> None:
    if not {name, name.split(".", maxsplit=1)[0]} & PHP_KNOWN_BY:
        assert "php" not in {other.split(".")[0] for other in _own(MODULES[name])}


@each_module
def test_no_identifier_below_php_speaks_of_it(name: str) -> None:
    """Comments may give PHP as the reason."""
    if _floor(name) < _floor("php"):
        tree = MODULES[name]
        words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        words |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        words |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        words |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert not {word for word in words if re.search(r"(?i)(^|_)(php|pecl|locks?|sessions?)($|_)", word)}


#: Who alone changes what a node knows of where it stands, and of a peer.
STATE_OWNERS: Final = {
    "replication.membership.flap_damping",
    "replication.membership.peer",
    "replication.membership.peer_contact",
    "replication.membership.peer_process",
    "replication.membership.state",
}


@each_module
def test_replication_state_is_written_by_its_owner_alone(name: str) -> None:
    written = [
        ast.unparse(target)
        for node in ast.walk(MODULES[name])
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for each in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for target in (each.elts if isinstance(each, ast.Tuple) else [each])
        if isinstance(target, ast.Attribute) and name.startswith("replication")
    ]
    foreign = [
        one
        for one in written
        if re.search(r"(^|\.)(_?state|peer|bridge|peers\[.*\]|process|contact|damping)\.\w+$", one)
    ]
    assert not foreign or name in STATE_OWNERS, foreign


#: Words of our own for which the field has others (docs/glossary.md): they hid what the code does.
OVERTAKEN: Final = frozenset(
    re.findall(
        r"\w+",
        """
        Anteroom Beat BeatAck Caller Committer Complaints Copies Drop Election Facts Habits Hold Holder InFlight
        Journal Knocks Lookout More Neighbours Newcomer News Object Parting Presence Reports Room Sessions
        Standing Stream Surroundings Sync Taker Ticket foretold inflight lookout newcomer presence standing
        surroundings ticket trouble
        """,
    )
)


@each_module
def test_no_name_is_one_that_has_been_overtaken(name: str) -> None:
    words = {node.id for node in ast.walk(MODULES[name]) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(MODULES[name]) if isinstance(node, ast.Attribute)}
    words |= {node.arg for node in ast.walk(MODULES[name]) if isinstance(node, ast.arg)}
    words |= {node.name for node in ast.walk(MODULES[name]) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert not words & OVERTAKEN


#: Who reaches the world without a daemon: a command that asks a node is a process of its own, which opens one
#: socket, has the clock bound its wait, and looks in the user's directories for where to ask. So is the doctor,
#: who looks at what a daemon would need. What moves sessions is a client of the servers that have them, keeps
#: to a rate, and writes files that their owner alone may read. The copy on disk is files and a thread.
ASKS_THE_WORLD: Final = {
    "cli.asking": {"os", "socket", "time"},
    "disk.copy": {"time"},
    "disk.directory": {"os", "time"},
    "disk.file": {"os"},
    "disk.saver": {"time"},
    "disk.writer": {"threading", "time"},
    "doctor.disk": {"os"},
    "doctor.inward": {"secrets", "select", "socket", "time"},
    "doctor.machine": {"os", "resource"},
    "doctor.outward": {"socket"},
    "doctor.ports": {"os"},
    "move.archive": {"os"},
    "move.connection": {"socket"},
    "move.lines": {"os"},
    "move.pace": {"time"},
    "move.php_files": {"os"},
}


@each_module
def test_only_the_daemon_reaches_the_world(name: str) -> None:
    if name.split(".", maxsplit=1)[0] != "daemon":
        assert _foreign(MODULES[name]) & DAEMONS_OWN == ASKS_THE_WORLD.get(name, set())


@each_module
def test_nobody_below_the_daemon_asks_what_time_it_is(name: str) -> None:
    if _is_below_the_daemon(name) and name.split(".", maxsplit=1)[0] != "disk":
        asked = {node.attr for node in ast.walk(MODULES[name]) if isinstance(node, ast.Attribute)}
        assert not asked & {"utcnow", "today", "monotonic", "perf_counter"}
        assert not any(
            isinstance(node, ast.Attribute) and node.attr == "now" and ast.unparse(node.value) == "datetime"
            for node in ast.walk(MODULES[name])
        )


@each_module
def test_a_node_that_runs_begins_no_thread(name: str) -> None:
    """Without memory that may never return, see daemon/threads.py; and so may what trio does in threads."""
    if _floor(name) <= _floor("daemon") and name != "daemon.threads":
        text = ast.unparse(MODULES[name])
        assert not re.findall(
            r"\bThread\(|start_new_thread|\bto_thread\b|ThreadPool|start_thread_soon|Timer\(", text
        )


@each_module
def test_files_are_read_in_one_place_which_knows_what_none_means(name: str) -> None:
    """Elsewhere a read that would block ends in an AttributeError; see daemon/files.py."""
    if name != "daemon.files":
        calls = [node for node in ast.walk(MODULES[name]) if isinstance(node, ast.Call)]
        assert not [ast.unparse(call) for call in calls if _reads_a_file(call)]


def _reads_a_file(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id == "open"
    if not isinstance(call.func, ast.Attribute):
        return False
    with_mode = bool(call.args) and isinstance(call.args[0], ast.Constant)
    return call.func.attr in {"read_text", "read_bytes"} or (call.func.attr == "open" and with_mode)


@each_module
def test_nothing_below_the_daemon_is_asynchronous(name: str) -> None:
    if _is_below_the_daemon(name):
        kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
        assert not [node.lineno for node in ast.walk(MODULES[name]) if isinstance(node, kinds)]


def test_every_exception_is_caught_only_where_clients_commands_and_tasks_are_run() -> None:
    broad = [
        f"{name}:{node.lineno}"
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or "Exception" in ast.unparse(node.type).replace("ClickException", ""))
    ]
    assert [place.partition(":")[0] for place in sorted(broad)] == [
        "daemon.client",
        "daemon.daemon",
        "daemon.daemon",
        "daemon.host",
        "daemon.host",
        "daemon.http_exchange",
        "daemon.reactor",
        "daemon.threads",
        "node.node",
    ], broad


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_about(name: str) -> None:
    assert ast.get_docstring(MODULES[name])


#: What a docstring of a function does not begin with: it says what the function does, and first of all that.
NO_VERBS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        A All An Another Anything As At Because Behind Both By Each Every Everything For From How If
        In It Its No Nobody Not Nothing Of On One Only Others Our Since So Some Somebody Something
        That The There These They This Those To Two Until Up What When Where Whether Which Who Why
        With Within
        """,
    )
)


@each_module
def test_a_docstring_of_a_function_begins_with_a_verb(name: str) -> None:
    """Those of Redis' commands begin with the command, as it is written."""
    texts = [ast.get_docstring(function) for function in _functions(MODULES[name])]
    first = {text.split()[0].strip(",.;:") for text in texts if text}
    assert not first & NO_VERBS
    assert all(word[:1].isupper() for word in first)


def _file(name: str) -> Path:
    path = ROOT / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_enough_to_be_read_at_once(name: str) -> None:
    assert len(_file(name).read_text("utf-8").splitlines()) <= MODULE_LINES_MAX


@each_module
def test_a_class_is_small_enough_to_be_known_and_made(name: str) -> None:
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            public = [method for method in methods if not method.name.startswith("_")]
            assert len(public) <= PUBLIC_METHODS_MAX, node.name
            for method in methods:
                if method.name == "__init__":
                    count = len(method.args.args) - 1 + len(method.args.kwonlyargs)
                    assert count <= PARAMETERS_MAX, node.name


@each_module
def test_a_module_has_its_test_file(name: str) -> None:
    path = _file(name)
    if path.name not in {"__init__.py", "__main__.py"}:
        inside = path.relative_to(ROOT)
        assert (TESTS / "unit" / inside.parent / f"test_{inside.name}").exists()


@each_module
def test_a_function_is_short_enough_to_be_seen_at_once(name: str) -> None:
    long = {
        node.name: lines
        for node in _functions(MODULES[name])
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long
