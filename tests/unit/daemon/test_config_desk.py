"""Options are told with their origins, a restart is looked at and not made, and no file is told from within."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import msgspec
import trio

from memrep.daemon.config_desk import ConfigDesk
from memrep.daemon.http_exchange import Answer, Request
from memrep.daemon.log import Log
from memrep.daemon.log_format import LogFormat
from memrep.daemon.options import ServeOptions
from memrep.daemon.origins import COMMAND_LINE, DEFAULT, FILE, Given
from memrep.daemon.reload import Reloader, Source
from memrep.daemon.reloadable import ONE_BY_ONE
from memrep.errors import UsageError
from memrep.events import Level
from memrep.status.config_facts import ConfigDiffStatus, ConfigStatus, DifferenceStatus, OptionStatus
from tests.unit.daemon.here import here

ME = "10.1.1.1:11211"
ORIGINS = {"memory": FILE, "connections": COMMAND_LINE, "secret_file": FILE}
VALUES: dict[str, object] = {
    "nodes": None,
    "port": None,
    "memory": 64,
    "connections": 100,
    "item_size_max": 1536 << 10,
    "drain": 0.5,
    "php": True,
    "unix": "",
    "secret_file": "",
    "log_level": "info",
}


def _desk(
    options: ServeOptions,
    now: Callable[[], Given],
    start: Callable[[Mapping[str, object]], ServeOptions | None] | None = None,
) -> tuple[ConfigDesk, Log]:
    journal = Log(LogFormat(), fd=os.open(os.devnull, os.O_WRONLY))
    source = Source(now(), now, start=start or (lambda given: options))
    return ConfigDesk(ME, journal, Reloader(options, source, here)), journal


def _ask(desk: ConfigDesk, target: str) -> bytes:
    answer = desk.pages[target](Request(method="GET", target=target, headers={}, body=b""))
    return (answer if isinstance(answer, Answer) else trio.run(lambda: answer)).body


def _options(desk: ConfigDesk) -> dict[str, OptionStatus]:
    told = msgspec.json.decode(_ask(desk, "/config"), type=ConfigStatus)
    assert (told.node, told.running, told.file) == (ME, True, "memrep.toml")
    return {option.name: option for option in told.options}


def _diff(desk: ConfigDesk) -> ConfigDiffStatus:
    return msgspec.json.decode(_ask(desk, "/config/diff"), type=ConfigDiffStatus)


def test_each_option_is_told_as_one_would_write_it_and_what_was_left_to_the_node_as_it_found_it(
    options: ServeOptions,
) -> None:
    desk, _ = _desk(options, lambda: Given(VALUES, ORIGINS, "memrep.toml"))
    told = _options(desk)
    assert list(told) == [name for name in told if name in VALUES] and len(told) == len(VALUES)
    assert {name: told[name].value for name in ("item_size_max", "drain", "php", "unix")} == {
        "item_size_max": "1536k",
        "drain": "0.5",
        "php": "true",
        "unix": "",
    }
    assert told["memory"] == OptionStatus("memory", "64", FILE)
    assert told["connections"] == OptionStatus("connections", "100", COMMAND_LINE)
    assert told["port"] == OptionStatus("port", str(options.port), DEFAULT)
    assert told["nodes"].value == ",".join(f"tcp://{node}" for node in options.nodes)


def test_a_level_that_was_set_by_hand_is_told_as_it_is(options: ServeOptions) -> None:
    desk, journal = _desk(options, lambda: Given(VALUES, ORIGINS, "memrep.toml"))
    journal.level = options.log_level
    assert _options(desk)["log_level"] == OptionStatus("log_level", "info", DEFAULT)
    journal.level = Level.ERROR
    assert _options(desk)["log_level"] == OptionStatus("log_level", "error", "memrep log")


def test_what_a_restart_would_change_is_told_with_what_it_takes_and_nothing_is_taken(
    options: ServeOptions,
) -> None:
    values = dict(VALUES)
    desk, _ = _desk(options, lambda: Given(dict(values), ORIGINS, "memrep.toml"))
    assert _diff(desk) == ConfigDiffStatus(node=ME, file="memrep.toml", differences=[])
    values |= {"memory": 128, "unix": "/run/m.sock"}
    expected = [
        DifferenceStatus(name="unix", running="", restart="/run/m.sock", origin=DEFAULT, needs=ONE_BY_ONE),
        DifferenceStatus(name="memory", running="64", restart="128", origin=FILE, needs=""),
    ]
    for _ in range(2):
        assert _diff(desk).differences == expected
    assert _options(desk)["memory"].value == "64"


def test_a_restart_that_would_fail_is_told_with_the_reason_and_with_what_differs(options: ServeOptions) -> None:
    values, mistakes = dict(VALUES), [""]

    def read() -> Given:
        if mistakes[0]:
            raise UsageError(mistakes[0])
        return Given(dict(values), ORIGINS)

    def start(given: Mapping[str, object]) -> ServeOptions:
        raise UsageError("--self is not in --nodes")

    desk, _ = _desk(options, read, start)
    values["memory"] = 7
    told = _diff(desk)
    assert told.refused == "--self is not in --nodes"
    assert [one.name for one in told.differences] == ["memory"]
    mistakes[0] = "it is no valid TOML"
    told = _diff(desk)
    assert (told.refused, told.differences) == ("it is no valid TOML", [])


def test_of_a_secret_its_file_is_told_and_that_it_has_changed_and_never_what_it_is(
    options: ServeOptions, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text("tell nobody: a secret")
    node = attrs.evolve(options.node, secrets=(b"tell nobody: a secret",))
    given = Given({**VALUES, "secret_file": str(path)}, ORIGINS, "memrep.toml")
    desk, _ = _desk(attrs.evolve(options, node=node), lambda: given)
    assert _options(desk)["secret_file"] == OptionStatus("secret_file", str(path), FILE)
    assert _diff(desk).differences == []
    path.write_text("tell nobody: another secret")
    (one,) = _diff(desk).differences
    assert (one.name, one.running, one.restart, one.needs) == ("secret_file", str(path), str(path), "")
    for target in desk.pages:
        assert b"tell nobody" not in _ask(desk, target)
