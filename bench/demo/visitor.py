"""Somebody who visits a site again and again, with one cookie; each page must count one more than the last.

A page of an error may have counted or not, which the next one tells. A smaller count is a visitor who was
logged out, or shown what he had before.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from http.cookiejar import CookieJar
from typing import Any, Final

#: What a page was.
FINE: Final = "fine"
SLOW: Final = "slow"
ERROR: Final = "error"
LOGGED_OUT: Final = "logged out"
OLD: Final = "old"

#: How long (s) a visitor rests between two pages, waits for one, and takes one for slow; how many are shown.
_REST_S: Final = 0.25
_TIMEOUT_S: Final = 30.0
_SLOW_S: Final = 0.9
_SHOWN: Final = 240


class Visitor:
    """A browser in a thread of its own.

    Args:
        url: the site.
        ended: ends it.
    """

    def __init__(self, url: str, ended: threading.Event) -> None:
        self._url = url
        self._ended = ended
        self._browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )
        self._count = 0
        self._unknown = 0  # pages of errors since the last count
        self._number = 0
        self._web_server = ""
        self._pages: deque[tuple[int, str, int]] = deque(maxlen=_SHOWN)
        self._kinds: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._asked_at: float | None = None

    def run(self) -> None:
        """Visit until told to end."""
        while not self._ended.is_set():
            self._asked_at = time.monotonic()
            kind = self._visit()
            took = time.monotonic() - self._asked_at
            self._asked_at = None
            if kind == FINE and took > _SLOW_S:
                kind = SLOW
            with self._lock:
                self._number += 1
                self._kinds[kind] += 1
                self._pages.append((self._number, kind, round(took * 1000)))
            self._ended.wait(max(0.0, _REST_S - took))

    def _visit(self) -> str:
        try:
            with self._browser.open(self._url, timeout=_TIMEOUT_S) as response:
                text = response.read().decode(errors="replace")
        except OSError:  # HTTPError is one
            self._unknown += 1
            return ERROR
        web_server, _, digits = text.partition(" ")
        if not digits.isdigit():
            self._unknown += 1
            return ERROR
        count, before = int(digits), self._count
        possible = range(before + 1, before + self._unknown + 2)
        self._count, self._unknown, self._web_server = count, 0, web_server
        if count in possible:
            return FINE
        return LOGGED_OUT if count <= 1 + len(possible) - 1 else OLD

    def told(self, since: int) -> dict[str, Any]:
        """Return what this visitor was shown, with the pages behind this number."""
        asked_at = self._asked_at
        with self._lock:
            return {
                "count": self._count,
                "web_server": self._web_server,
                "waits_ms": 0 if asked_at is None else round((time.monotonic() - asked_at) * 1000),
                "kinds": dict(self._kinds),
                "pages": [list(page) for page in self._pages if page[0] > since],
            }
