"""Who watches a cluster: a Prometheus that scrapes once a second, and somebody with an open page."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

from bench.asking import HOST

#: How often (s) metrics are collected, and a page that renews itself is asked for.
SCRAPE_S: Final = 1.0
PAGE_S: Final = 5.0

_TIMEOUT_S: Final = 10.0


@attrs.define(eq=False)
class Watched:
    """What the watchers have got.

    Attributes:
        answers: how many answers there were, by path.
        failures: what went wrong instead.
    """

    answers: dict[str, int] = attrs.Factory(dict)
    failures: list[str] = attrs.Factory(list)


@contextmanager
def watching(ports: Sequence[int]) -> Iterator[Watched]:
    """Scrape each of these HTTP ports, and have the page of each open, while the block lasts."""
    watched = Watched()
    ended = threading.Event()
    threads = [
        threading.Thread(target=_ask, args=(port, path, every_s, watched, ended))
        for port in ports
        for path, every_s in (("/metrics", SCRAPE_S), ("/", PAGE_S))
    ]
    for thread in threads:
        thread.start()
    try:
        yield watched
    finally:
        ended.set()
        for thread in threads:
            thread.join(_TIMEOUT_S)


def _ask(port: int, path: str, every_s: float, watched: Watched, ended: threading.Event) -> None:
    """Ask for this path again and again, over a connection of its own each time."""
    due = time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        due += every_s
        connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            if response.status == http.client.OK:
                watched.answers[path] = watched.answers.get(path, 0) + 1
            else:
                watched.failures.append(f"{path}: status {response.status}")
        except (OSError, http.client.HTTPException) as error:
            watched.failures.append(f"{path}: {error!r}")
        finally:
            connection.close()
