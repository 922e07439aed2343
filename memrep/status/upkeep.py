"""Problems of what a node is kept in order by, and of what it depends on besides: options, log, the old store.

Those of its own become others later: a file that has a mistake ends the next start, and a certificate that was
not taken ends in time.
"""

from __future__ import annotations

from collections.abc import Iterator

from memrep.status.facts import Problem, Status
from memrep.status.nodes import host_of, nodes_with_words


def refused_options(status: Status) -> Iterator[Problem]:
    """Find who goes on with former options, for those that were read anew will not do."""
    for node, about in nodes_with_words(status):
        if about.reload_refused:
            yield Problem(
                "reload-refused",
                "warning",
                [node.name],
                f"{node.name} goes on with its former options, for what was read anew will not do: "
                f"{about.reload_refused}",
                f"`memrep config --diff` on {host_of(node)} shows what differs; mend that, then "
                "`memrep reload` there (what needs a restart is refused until there is one)",
            )


def unsaved(status: Status) -> Iterator[Problem]:
    """Find who cannot save what it holds."""
    for node, about in nodes_with_words(status):
        if about.disk:
            yield Problem(
                "disk",
                "warning",
                [node.name],
                f"{node.name} cannot save what it holds on disk: {about.disk}; it serves on, and tries again",
                f"see whether the disk of `data_dir` is full or fails at {host_of(node)} (df, dmesg); as long "
                "as another node saves, a power cut of all of them loses nothing more",
            )


def silent_old_store(status: Status) -> Iterator[Problem]:
    """Find who cannot ask the store in which sessions are that have not come over yet."""
    for node, about in nodes_with_words(status):
        if about.old_store_silent:
            yield Problem(
                "old-store",
                "critical",
                [node.name],
                f"{node.name} has no answer from the old store, so who has a session only there is logged out: "
                f"{about.old_store_silent}",
                f"let the old store run, and be reached from {host_of(node)}; when all sessions have come over "
                "take `fallback` out on all servers, then `memrep reload`",
            )


def lost_lines(status: Status) -> Iterator[Problem]:
    """Find whose log lacks lines."""
    for node, about in nodes_with_words(status):
        if about.log_lost:
            yield Problem(
                "log",
                "warning",
                [node.name],
                f"{about.log_lost:,} lines of the log of {node.name} could not be written",
                f"see whether the disk of the log is full at {host_of(node)} (df), or its reader hangs",
            )
