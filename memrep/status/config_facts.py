"""SEAM: the options of one node as JSON: as they are, where they come from, what a restart would make of them.

Rule: an option that names a file tells its name. What stands in such a file, a password or a secret, is nowhere
in here, whoever asks.
"""

from __future__ import annotations

import msgspec


class OptionStatus(msgspec.Struct, frozen=True):
    """An option.

    Attributes:
        name: in the config file.
        value: as one would write it there; "" for none.
        origin: "command line", "environment", "file", "default", or "memrep log" for a level set by hand.
    """

    name: str
    value: str
    origin: str


class ConfigStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All options of a node.

    Attributes:
        node: its address in --nodes; "" if no start could tell it.
        running: whether they are those of a node that runs; else those that a start would have.
        file: the config file's path; "" if there is none.
        options: in the order of `memrep serve --help`.
        refused: why a start would fail; "" if it would not, and of a node that runs.
        format: of all this.
    """

    node: str
    running: bool
    file: str
    options: list[OptionStatus]
    refused: str = ""
    format: int = 1


class DifferenceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An option that a restart would make another one.

    Attributes:
        name: in the config file.
        running: its value now,
        restart: and after a restart; the same where what stands in a file has changed.
        origin: where the latter comes from.
        needs: "" if `memrep reload` takes it, else what it needs instead.
    """

    name: str
    running: str
    restart: str
    origin: str
    needs: str


class ConfigDiffStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a restart would change.

    Attributes:
        node: the node's address in --nodes.
        file: the config file's path; "" if there is none.
        differences: each option that would be another one.
        refused: why a restart would fail; "" if it would not.
        format: of all this.
    """

    node: str
    file: str
    differences: list[DifferenceStatus]
    refused: str = ""
    format: int = 1
