"""`make demo` shows what it claims: the count goes on whatever is done to one server; only the page does it."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.faults.network import forbidden

from .browser import Scheme, chromium, faults, opened, overhang
from .processes import CHECKOUT, Child, missing, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.real

PATIENCE_S: Final = 40
PAGES: Final = 12

_BROWSER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Demo:
    """The demonstration, as its page sees it."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def state(self) -> dict[str, Any]:
        with _BROWSER.open(f"{self.origin}/state", timeout=PATIENCE_S) as response:
            state: dict[str, Any] = json.loads(response.read())
        return state

    def order(self, path: str, **headers: str) -> int:
        """The status of an order, with the headers that the page sends, or others."""
        sent = {
            "Origin": self.origin,
            "X-Demo": "1",
            **{name.replace("_", "-"): v for name, v in headers.items()},
        }
        request = urllib.request.Request(f"{self.origin}{path}", data=b"", headers=sent)
        try:
            with _BROWSER.open(request, timeout=PATIENCE_S) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def count(self, site: str = "memrep") -> int:
        return int(self.state()["visitors"][site]["count"])

    def wait(self, seen: Callable[[dict[str, Any]], bool], what: str) -> None:
        until(lambda: seen(self.state()), PATIENCE_S, what)

    def goes_on(self) -> None:
        """The visitor's count rises."""
        wanted = self.count() + PAGES
        self.wait(lambda state: state["visitors"]["memrep"]["count"] >= wanted, "the count goes on")

    def serve(self, wanted: list[bool]) -> None:
        """The nodes say who serves."""

        def seen(state: dict[str, Any]) -> bool:
            status = state["status"]
            return status is not None and [node["state"] == "serving" for node in status["nodes"]] == wanted

        self.wait(seen, f"who serves: {wanted}")


@contextmanager
def demonstration(directory: Path) -> Iterator[Demo]:
    why = forbidden()
    if why is not None:
        missing(f"the right to make network namespaces ({why})")
    with tempfile.TemporaryDirectory(prefix="demo") as folder:  # short: a socket's path has 107 bytes at most
        env = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": folder}
        child = Child("demo", [sys.executable, "-m", "bench.demo", "--port", "0"], directory, env=env)
        try:
            until(lambda: "http://" in child.log.read_text(), PATIENCE_S, "it says where to look")
            (origin,) = re.findall(r"http://[0-9.:]+", child.log.read_text())
            demo = Demo(origin)
            demo.serve([True] * 3)
            yield demo
        finally:
            child.kill()


def test_the_count_goes_on_through_all_that_is_done_to_a_server(tmp_path: Path) -> None:
    with demonstration(tmp_path) as demo:
        for server, what in enumerate(("killed", "frozen", "cut-off")):
            others = [i != server for i in range(3)]
            assert demo.order(f"/do/{what}/{server}") == 200
            demo.serve(others)
            demo.goes_on()
            assert demo.order(f"/do/killed/{server}") == 409, "one thing at a time"
            assert demo.order(f"/do/back/{server}") == 200
            demo.serve([True] * 3)
            demo.goes_on()
        kinds = demo.state()["visitors"]["memrep"]["kinds"]
        assert set(kinds) <= {"fine", "slow"}, kinds


def test_nobody_but_the_page_gives_orders(tmp_path: Path) -> None:
    with demonstration(tmp_path) as demo:
        assert demo.order("/do/killed/0", Origin="http://evil.example") == 403
        assert demo.order("/do/killed/0", X_Demo="") == 403
        assert demo.order("/do/killed/0", Host="evil.example") == 421
        assert demo.order("/do/killed/9") == 404
        assert demo.order("/do/eaten/0") == 409
        assert demo.state()["conditions"] == ["runs"] * 3


def test_whoever_looks_may_be_a_visitor_too(tmp_path: Path) -> None:
    with demonstration(tmp_path) as demo:
        cookie = ""
        for number in (1, 2, 3):
            request = urllib.request.Request(f"{demo.origin}/shop/memrep", headers={"Cookie": cookie})
            with _BROWSER.open(request, timeout=PATIENCE_S) as response:
                text, given = response.read().decode(), response.headers["Set-Cookie"]
            assert text.endswith(f"this is your visit number {number}\n")
            if given:
                assert "path=/shop/memrep" in given
                cookie = given.partition(";")[0]


def _shown(page: Page) -> int:
    return int((page.text_content("#memrep .count") or "0").replace(",", ""))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_a_person_strikes_a_server_and_watches(scheme: Scheme, width: int, tmp_path: Path) -> None:
    with (
        demonstration(tmp_path) as demo,
        chromium() as browser,
        opened(browser, demo.origin, width, scheme) as page,
    ):
        page.check("#beside")
        page.click("#servers article:nth-child(2) button.killed")
        page.wait_for_selector("#servers article:nth-child(2) .state:text('killed; the others say: down')")
        page.wait_for_selector("#problems li:text('is down')")
        assert page.is_disabled("#servers article:nth-child(2) button.frozen")
        demo.goes_on()
        told = demo.count()
        until(lambda: _shown(page) >= told, PATIENCE_S, "the page shows the count")
        assert faults(page) == []
        assert overhang(page) == 0
        page.click("#servers article:nth-child(2) button.back")
        page.wait_for_selector("#servers article:nth-child(2) .state.serving")
