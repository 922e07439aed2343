"""The day of a move: visitors who keep coming, a balancer, and web servers whose PHP is switched under them.

A web server is some php-cli processes with one php.ini, as php-fpm has workers; it serves a page at a time with
each. It is switched as `systemctl reload` does that: pages that are at work end, and those that come meanwhile
wait. The balancer knows which web servers get visitors, and keeps a visitor at the same one if it sticks.
"""

from __future__ import annotations

import itertools
import json
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from .moving import SESSIONS
from .named import NamedNodes
from .php import Php
from .processes import until

#: Between two pages of one visitor, s.
_PACE_S: Final = 0.02

_WORKERS: Final = 2
_PATIENCE_S: Final = 20


class MovingNodes(NamedNodes):
    """Nodes that look for sessions in an old store, until they are told by their config file not to."""

    def __init__(self, count: int, directory: Path, fallback: Sequence[str]) -> None:
        super().__init__(count, directory)
        for i in range(count):
            self._config(i).write_text(f'fallback = "{fallback[i % len(fallback)]}"\n')

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--config", str(self._config(i))]

    def _config(self, i: int) -> Path:
        return self.directory / f"config-{i}.toml"

    def end_fallback(self) -> None:
        """Take the option out, and have the files read anew."""
        for i in range(self.count):
            self._config(i).write_text("")
            self.node(i).process.send_signal(signal.SIGHUP)
            until(partial(self._has_reloaded, i), 10, "the option is taken out")

    def _has_reloaded(self, i: int) -> bool:
        return "read anew (SIGHUP): fallback" in self.node(i).log.read_text()


class WebServer:
    """Some PHP processes with the same settings.

    Args:
        settings: those of php.ini.
        directory: for logs.
        name: of the web server.
        within: the command within which its PHP runs, and so what it knows of nodes' names.
    """

    def __init__(self, settings: dict[str, str], directory: Path, name: str, within: Sequence[str]) -> None:
        self.name = name
        self._directory = directory
        self._within = within
        self._idle: queue.Queue[Php] = queue.Queue()
        self._starts = itertools.count()
        self._open(settings)

    def _open(self, settings: dict[str, str]) -> None:
        for _ in range(_WORKERS):
            name = f"{self.name}-{next(self._starts)}"
            php = Php(settings, self._directory, name, SESSIONS, "visitor", within=self._within)
            self._idle.put(php.__enter__())

    def close(self) -> None:
        """Let the pages that are at work end, and stop."""
        for _ in range(_WORKERS):
            self._idle.get(timeout=_PATIENCE_S).__exit__(None, None, None)

    def switch(self, settings: dict[str, str]) -> None:
        """Go on with other settings."""
        self.close()
        self._open(settings)

    def page(self, do: str, **details: object) -> list[dict[str, Any]]:
        """Serve a page; return what was wrong with it."""
        php = self._idle.get(timeout=_PATIENCE_S)
        try:
            before = len(php.anomalies)
            php.ask(do, **details)
            return php.anomalies[before:]
        finally:
            self._idle.put(php)


class Day:
    """Visitors who keep coming to the web servers that the balancer knows.

    Args:
        web_servers: those of the site.
        sticks: whether the balancer lets a visitor come to the same web server each time.
        tabs: how many pages of each visitor are at work at a time. If there are several no page knows what it
            should find, but each adds one.
        first: the first visitor who comes; those before him stay away all day.
    """

    def __init__(self, web_servers: list[WebServer], *, sticks: bool, tabs: int = 1, first: int = 4) -> None:
        self.rotation = list(web_servers)
        self.all = list(web_servers)
        self.wrong: list[tuple[int, int, str, list[dict[str, Any]]]] = []
        self.counts: Counter[int] = Counter()
        self._sticks = sticks
        self._next = itertools.count()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._open = threading.Event()
        self._open.set()
        self._at_work = 0
        self._threads = [
            threading.Thread(target=self._come, args=(visitor, tabs > 1), daemon=True)
            for visitor in range(first, SESSIONS)
            for _ in range(tabs)
        ]
        self._visitors = range(first, SESSIONS)

    def begin(self, count: int) -> None:
        """Let them come; each session holds this count now."""
        self.counts.update(dict.fromkeys(range(SESSIONS), count))
        for thread in self._threads:
            thread.start()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait until no page is at work, and hold what comes back for so long, as a balancer does."""
        self._open.clear()
        until(lambda: not self._at_work, _PATIENCE_S, "the pages that are at work end")
        yield
        self._open.set()

    def go_on(self, pages: int) -> None:
        """Return when each visitor has seen so many pages more."""
        wanted = {visitor: self.counts[visitor] + pages for visitor in self._visitors}
        until(
            lambda: bool(self.wrong) or all(self.counts[visitor] >= n for visitor, n in wanted.items()),
            _PATIENCE_S,
            "all visitors see pages",
        )

    def end(self) -> None:
        """Let nobody come any more."""
        self._over.set()
        self._open.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def look_at_all(self) -> None:
        """Let each come once more, those too who stayed away, and find what the last page of each has left."""
        for visitor in range(SESSIONS):
            wrong = self.rotation[visitor % len(self.rotation)].page(
                "visit", id=visitor, n=self.counts[visitor]
            )
            # A page of several at a time leaves the luggage as it was.
            if {each["anomaly"] for each in wrong} - {"torn"}:
                self.wrong.append((visitor, self.counts[visitor], "at the end", wrong))
            self.counts[visitor] += 1

    def assert_nobody_lost_anything(self) -> None:
        """Tell what was wrong, a line each."""
        told = "\n".join(json.dumps(each) for each in self.wrong[:20])
        assert not self.wrong, f"{len(self.wrong)} pages went wrong:\n{told}"

    def _come(self, visitor: int, is_one_of_several: bool) -> None:
        while not self._over.is_set():
            self._open.wait()
            with self._lock:
                if not self._open.is_set():
                    continue
                self._at_work += 1
                web = self._web_server(visitor)
            if is_one_of_several:
                wrong = web.page("raise", id=visitor, times=1)
            else:
                wrong = web.page("visit", id=visitor, n=self.counts[visitor])
            with self._lock:
                self._at_work -= 1
                if wrong:
                    self.wrong.append((visitor, self.counts[visitor], web.name, wrong))
                else:
                    self.counts[visitor] += 1
            time.sleep(_PACE_S)

    def _web_server(self, visitor: int) -> WebServer:
        if self._sticks:
            return self.all[visitor % len(self.all)]
        return self.rotation[next(self._next) % len(self.rotation)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._open.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_PATIENCE_S)
        for web in self.all:
            web.close()


Settings = Callable[[int], dict[str, str]]


def site(settings: Settings, directory: Path, nodes: NamedNodes, count: int = 3) -> list[WebServer]:
    """Return web servers with these settings each."""
    withins = [nodes.beginning_at(i) for i in range(count)]
    return [WebServer(settings(i), directory, f"web{i}", within) for i, within in enumerate(withins)]
