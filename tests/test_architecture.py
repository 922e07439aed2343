"""The floors of memrep/__init__.py hold: arrows point down only, and nothing below the daemon does any I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

import memrep

ROOT: Final = Path(memrep.__file__).parent

#: The floors, lowest first. A module belongs to the longest of these names that begins its own.
FLOORS: Final = (
    {"version", "entry", "locks", "stats", "errors", "nodes", "habits", "said", "complaints", "ceiling"},
    {"copies", "digest", "table", "store", "flow", "inflight", "decisions", "committer", "ticket", "room"},
    {"engine", "replication"},
    {"php", "users"},
    {"protocol", "options"},
    {"report", "links", "knocks", "lookout", "door", "node"},
    {"daemon"},
    {"cli"},
    {"__main__"},
)

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

MODULE_LINES_MAX: Final = 500
FUNCTION_LINES_MAX: Final = 70


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
def test_arrows_point_down_only(name: str) -> None:
    upwards = {other for other in _own(MODULES[name]) if _floor(other) > _floor(name)}
    assert not upwards


def test_arrows_make_no_circle() -> None:
    arrows = {name: _own(tree) for name, tree in MODULES.items()}
    assert len(list(TopologicalSorter(arrows).static_order())) >= len(MODULES)


@each_module
def test_values_import_nothing_but_attrs_msgspec_and_the_standard_library(name: str) -> None:
    if _floor(name) == 0:
        assert _foreign(MODULES[name]) <= {
            "__future__",
            "attrs",
            "collections",
            "ipaddress",
            "msgspec",
            "re",
            "struct",
            "typing",
        }


@each_module
def test_engine_and_protocol_do_not_know_replication_nor_it_them(name: str) -> None:
    above = {"engine", "protocol"}
    tops = {other.split(".")[0] for other in _own(MODULES[name])}
    if name.split(".", maxsplit=1)[0] in above:
        assert "replication" not in tops
    if name.split(".", maxsplit=1)[0] == "replication":
        assert not tops & above


@each_module
def test_only_the_daemon_reaches_the_world(name: str) -> None:
    if name.split(".", maxsplit=1)[0] != "daemon":
        assert not _foreign(MODULES[name]) & DAEMONS_OWN


@each_module
def test_nobody_below_the_daemon_asks_what_time_it_is(name: str) -> None:
    if _is_below_the_daemon(name):
        asked = {node.attr for node in ast.walk(MODULES[name]) if isinstance(node, ast.Attribute)}
        assert not asked & {"utcnow", "today", "monotonic", "perf_counter"}
        assert not any(
            isinstance(node, ast.Attribute) and node.attr == "now" and ast.unparse(node.value) == "datetime"
            for node in ast.walk(MODULES[name])
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
        "daemon.clients",
        "daemon.reactor",
        "daemon.run",
        "daemon.run",
        "node",
    ], broad


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_about(name: str) -> None:
    assert ast.get_docstring(MODULES[name])


def test_the_docstring_of_memrep_names_every_floor() -> None:
    words = set((memrep.__doc__ or "").replace("|", " ").split())
    helpers = {"__main__", "nodes", "options"}
    assert {name.split(".")[0] for name in MODULES if name} - helpers <= words


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_enough_to_be_read_at_once(name: str) -> None:
    path = ROOT / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert len(file.read_text("utf-8").splitlines()) <= MODULE_LINES_MAX


@each_module
def test_a_function_is_short_enough_to_be_seen_at_once(name: str) -> None:
    long = {
        node.name: lines
        for node in _functions(MODULES[name])
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long
