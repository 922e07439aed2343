"""How a line of the log is written: for people, for the journal, or as JSON.

For people a line has the time in front, the node if there are several, and a word if it matters. The journal of
systemd knows time and unit itself, and how much a line matters by `<N>` in front of it (sd-daemon(3)); so
`journalctl -p warning` shows what wants a person.

As JSON a line is one object: when (RFC 3339), the level, the event, the node, the message, and behind these
what is known of the event.
"""

from __future__ import annotations

from datetime import datetime

import attrs
import msgspec

from memrep.events import Level, Line


@attrs.frozen(kw_only=True)
class LogFormat:
    """How the lines of one node are written.

    Attributes:
        node: the node.
        named: whether people have to be told which one it is.
        json: whether to write JSON.
        journal: whether systemd's journal reads.
    """

    node: str = ""
    named: bool = False
    json: bool = False
    journal: bool = False

    def spell(self, line: Line, now: datetime) -> bytes:
        """Return the line as it is to be written.

        Args:
            line: what is told.
            now: the time, UTC.
        """
        level = line.event.level
        priority = f"<{level}>" if self.journal else ""
        if self.json:
            return priority.encode() + msgspec.json.encode(self._data(line, now)) + b"\n"
        stamp = "" if self.journal else f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d} "
        node = f"{self.node} " if self.named else ""
        word = f"{level.word}: " if level <= Level.WARNING and not self.journal else ""
        return f"{priority}{stamp}{node}{word}{line}\n".encode(errors="backslashreplace")

    def _data(self, line: Line, now: datetime) -> dict[str, object]:
        data: dict[str, object] = {
            "ts": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
            "level": line.event.level.word,
            "event": line.event.name,
            "node": self.node,
            "message": _clean(str(line)),
        }
        return data | {name: _plain(value) for name, value in line.fields.items()}


def _plain(value: object) -> object:
    """Return this as JSON can have it."""
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value if isinstance(value, int | float) else _clean(str(value))


def _clean(text: str) -> str:
    """Return the text without what no UTF-8 can carry."""
    return text.encode(errors="backslashreplace").decode()
