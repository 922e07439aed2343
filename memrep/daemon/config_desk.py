"""What an operator asks at the admin socket of the options of this node.

/config        all options as they are now, and where each comes from, as JSON (status/config_facts.py)
/config/diff   what a restart would make of them: they are read anew, and nothing of it is taken

A restart is looked at with the command line and the environment of this process. If somebody has changed those
in the unit of systemd, no process can know before it is started anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import msgspec

from memrep.daemon.http_exchange import Answer, Request, SlowHandle
from memrep.daemon.log import Log
from memrep.daemon.options import ServeOptions
from memrep.daemon.origins import DEFAULT, Given
from memrep.daemon.reload import Reloader, Source
from memrep.daemon.reloadable import OPTIONS, needs
from memrep.errors import UsageError
from memrep.status.config_facts import ConfigDiffStatus, ConfigStatus, DifferenceStatus, OptionStatus

#: Whence a level is that an operator has set by hand.
_BY_HAND: Final = "memrep log"


@attrs.frozen
class Restart:
    """What a start would come to.

    Attributes:
        given: what it would be given; None if that cannot be read.
        options: what follows; None if it would fail.
        refused: why it would; "" if it would not.
    """

    given: Given | None
    options: ServeOptions | None
    refused: str = ""


def look_ahead(source: Source) -> Restart:
    """Return what a start would come to now; it may wait for a disk, and for names to be looked up."""
    try:
        given = source.read()
    except UsageError as error:
        return Restart(None, None, str(error))
    try:
        return Restart(given, source.start(given))
    except UsageError as error:
        return Restart(given, None, str(error))


def told_options(given: Given, options: ServeOptions | None) -> list[OptionStatus]:
    """Return all options as an operator is told them.

    Args:
        given: what was given.
        options: what follows from it, for those that were left to the node; None if nothing does.
    """
    found = _found(options) if options is not None else {}
    return [
        OptionStatus(name, _spelled(name, given, found), given.origins.get(name, DEFAULT))
        for name in OPTIONS
        if name in given
    ]


def _found(options: ServeOptions) -> dict[str, object]:
    """Return what a node finds by itself if nobody says."""
    return {
        "nodes": ",".join(f"tcp://{node}" for node in options.nodes),
        "self": options.me,
        "listen": options.listen,
        "port": options.port,
        "admin": "none" if options.admin is None else options.admin.path,
    }


def _spelled(name: str, given: Mapping[str, object], found: Mapping[str, object]) -> str:
    """Return a value as one would write it in the config file, but for the quotation marks."""
    value = given[name] if given[name] is not None else found.get(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if name == "item_size_max" and isinstance(value, int):
        return _size(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _size(number: int) -> str:
    for unit, power in (("g", 30), ("m", 20), ("k", 10)):
        if number and not number % (1 << power):
            return f"{number >> power}{unit}"
    return str(number)


class ConfigDesk:
    """Answers an operator who asks for options.

    Args:
        me: this node.
        journal: the log of this node.
        reloader: has its options.

    Attributes:
        pages: who answers what is read.
        acts: who answers what changes anything.
    """

    def __init__(self, me: str, journal: Log, reloader: Reloader) -> None:
        self._me = me
        self._journal = journal
        self._reloader = reloader
        self.pages: dict[str, SlowHandle] = {"/config": self._tell, "/config/diff": self._compare}
        self.acts: dict[str, SlowHandle] = {}

    def _tell(self, request: Request) -> Answer:
        options, given = self._reloader.options, self._reloader.given
        level = self._journal.level
        told = [
            OptionStatus(one.name, level.word, _BY_HAND)
            if one.name == "log_level" and level != options.log_level
            else one
            for one in told_options(given, options)
        ]
        return _json(ConfigStatus(node=self._me, running=True, file=given.file, options=told))

    async def _compare(self, request: Request) -> Answer:
        return await self._reloader.ask(self._compared)

    def _compared(self) -> Answer:
        """Compare; in a thread, meanwhile nothing is taken."""
        before, options = self._reloader.given, self._reloader.options
        restart = look_ahead(self._reloader.source)
        given = restart.given
        differences = [] if given is None else list(self._differences(before, options, given, restart.options))
        return _json(
            ConfigDiffStatus(
                node=self._me,
                file=(before if given is None else given).file,
                differences=differences,
                refused=restart.refused,
            )
        )

    def _differences(
        self, before: Given, options: ServeOptions, given: Given, after: ServeOptions | None
    ) -> Iterator[DifferenceStatus]:
        files = self._reloader.other_files(given)
        now, then = _found(options), {} if after is None else _found(after)
        for name in OPTIONS:
            if name in given and (given[name] != before[name] or name in files):
                yield DifferenceStatus(
                    name=name,
                    running=_spelled(name, before, now),
                    restart=_spelled(name, given, then),
                    origin=given.origins.get(name, DEFAULT),
                    needs=needs(name, before, given),
                )


def _json(told: ConfigStatus | ConfigDiffStatus) -> Answer:
    return Answer(200, "application/json", msgspec.json.encode(told))
