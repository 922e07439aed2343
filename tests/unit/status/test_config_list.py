"""Options as a table, the value last; a restart as what it would change, and how else it is changed."""

from __future__ import annotations

import msgspec

from memrep.status.config_facts import ConfigDiffStatus, ConfigStatus, DifferenceStatus, OptionStatus
from memrep.status.config_list import config_lines, difference_lines

NODE = "10.1.1.1:11211"
ONE_BY_ONE = "needs a restart, one node at a time"
TOLD = ConfigStatus(
    node=NODE,
    running=True,
    file="/etc/memrep/memrep.toml",
    options=[
        OptionStatus("nodes", f"tcp://{NODE}", "file"),
        OptionStatus("unix", "", "default"),
        OptionStatus("memory", "64", "command line"),
    ],
)
TOLD_DIFF = ConfigDiffStatus(
    node=NODE,
    file="/etc/memrep/memrep.toml",
    differences=[
        DifferenceStatus(
            name="unix",
            running="",
            restart="/m.sock",
            origin="file",
            needs=ONE_BY_ONE,
        ),
        DifferenceStatus(name="memory", running="64", restart="128", origin="environment", needs=""),
        DifferenceStatus(name="tls_cert", running="/c", restart="/c", origin="file", needs=""),
    ],
)


def test_each_option_has_a_line_with_its_origin_and_its_value() -> None:
    assert config_lines(TOLD).splitlines() == [
        "options of 10.1.1.1:11211, as they are now; file /etc/memrep/memrep.toml",
        "OPTION FROM         VALUE",
        "nodes  file         tcp://10.1.1.1:11211",
        "unix   default      -",
        "memory command line 64",
    ]


def test_what_only_a_start_would_have_is_told_as_such_and_why_it_would_fail() -> None:
    start = msgspec.structs.replace(TOLD, running=False, node="", file="", options=[], refused="no\nmemory")
    assert config_lines(start).splitlines() == [
        "options of a node, as a start would have them: no node runs here; no file",
        "a start would fail: no memory",
    ]


def test_what_a_reload_takes_is_told_from_what_needs_a_restart() -> None:
    assert difference_lines(TOLD_DIFF).splitlines() == [
        "a restart would change 3 options at 10.1.1.1:11211; file /etc/memrep/memrep.toml",
        "OPTION   NOW THEN         FROM        TO CHANGE IT",
        "unix     -   /m.sock      file        needs a restart, one node at a time",
        "memory   64  128          environment `memrep reload`",
        "tls_cert /c  /c (changed) file        `memrep reload`",
    ]


def test_where_nothing_differs_that_is_said_and_where_nobody_can_tell_that() -> None:
    same = msgspec.structs.replace(TOLD_DIFF, differences=[], file="")
    assert difference_lines(same) == "a restart would change nothing at 10.1.1.1:11211; no file"
    assert difference_lines(msgspec.structs.replace(same, refused="it is no valid TOML")).splitlines() == [
        "no difference can be told at 10.1.1.1:11211; no file",
        "a restart would fail: it is no valid TOML",
    ]


def test_what_others_have_written_cannot_steer_a_terminal() -> None:
    evil = "\x1b]0;x\x07"
    option = OptionStatus("unix", evil, "file")
    assert evil not in config_lines(msgspec.structs.replace(TOLD, options=[option], file=evil))
    one = msgspec.structs.replace(TOLD_DIFF.differences[0], running=evil, restart=evil)
    assert evil not in difference_lines(msgspec.structs.replace(TOLD_DIFF, differences=[one], refused=evil))
