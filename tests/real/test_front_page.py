"""The page for people in a real browser: in each state, light and dark, narrow and wide; to nobody's harm."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

import pytest

from memrep.page.document import document
from memrep.status.facts import Status
from tests.harness.steps import at_once
from tests.unit.page.hours import busy_hour
from tests.unit.page.test_hearing import CUT
from tests.unit.status.clusters import CLUSTERS, cluster, with_node

from .browser import PATIENCE_MS, WIDTHS, Scheme, chromium, faults, opened, overhang
from .processes import HOST, until
from .test_http import Asked

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.real

PATIENCE_S: Final = 30

NEITHER: Final = with_node(with_node(cluster(3), 1, hears=[]), 2, hears=[])
UNSAID: Final = with_node(cluster(3), 3, hears=None)

#: States that real nodes are in for a moment only, or that take a firewall, and names of all kinds.
MADE: Final[dict[str, Status]] = {
    **{name: status for name, (status, _) in CLUSTERS.items()},
    "detour": CUT,
    "neither": NEITHER,
    "unsaid": UNSAID,
}

#: In which everything looks different.
LOOKS: Final[tuple[tuple[Scheme, int], ...]] = (("light", 1280), ("dark", 320))

#: Of these those that have all kinds of parts.
JUDGED: Final = ("readme", "all_states", "before_the_first_view", "urgent", "neither", "unsaid")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def answering(body: bytes, headers: dict[str, str]) -> Iterator[str]:
    """A server that answers every request with this; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def headline(page: Page, words: str) -> None:
    """Return once the page says this in its first line, by itself."""
    page.locator("h1", has_text=words).wait_for(timeout=PATIENCE_MS)


def held_to_all(page: Page) -> None:
    """Hold that a page fits into its window, and that everybody can use it."""
    assert overhang(page) == 0
    assert faults(page) == []


@contextmanager
def shown(name: str) -> Iterator[str]:
    """A server of a page that was made of this state; its address."""
    made = at_once(document(MADE[name], busy_hour(), still=True))
    with answering(made.body, {**dict(made.headers), "Content-Type": "text/html; charset=utf-8"}) as url:
        yield url


def test_a_page_fits_into_every_window_whatever_it_shows(browser: Browser) -> None:
    with opened(browser, "about:blank") as page:
        for name in MADE:
            with shown(name) as url:
                page.goto(url)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                assert overhang(page) == 0, (name, width)


@pytest.mark.parametrize("name", JUDGED)
def test_a_page_can_be_used_by_everybody_in_the_light_and_in_the_dark(browser: Browser, name: str) -> None:
    with shown(name) as url:
        for scheme, width in LOOKS:
            with opened(browser, url, width, scheme) as page:
                held_to_all(page)


def test_an_open_page_tells_by_itself_who_has_gone_and_who_has_come_back(
    browser: Browser, tmp_path: Path
) -> None:
    with Asked(3, tmp_path) as nodes, opened(browser, nodes.page(0), width=320) as page:
        headline(page, "3 of 3 nodes serve; nothing is wrong.")
        held_to_all(page)
        page.evaluate("window.scrollTo(0, 900)")
        nodes.kill(2)
        headline(page, "2 of 3 nodes serve, one is down; one thing is wrong.")
        held_to_all(page)
        assert page.evaluate("window.scrollY") > 0, "whoever reads further down is not thrown back"
        assert page.locator(".problems li").count() == 1
        nodes.start(2)
        headline(page, "3 of 3 nodes serve; nothing is wrong.")
        assert page.locator(".problems").count() == 0
        nodes.wait_healed()


def test_a_page_that_is_to_hold_still_does(browser: Browser, tmp_path: Path) -> None:
    with Asked(2, tmp_path) as nodes:
        with opened(browser, nodes.page(0)) as page, opened(browser, nodes.page(0)) as other:
            headline(page, "2 of 2 nodes serve")
            page.get_by_role("link", name="hold it still").click()
            page.get_by_role("link", name="load it anew").wait_for()
            nodes.kill(1)
            headline(other, "1 of 2 nodes serves")
            assert "2 of 2 nodes serve" in page.inner_text("h1")
            page.get_by_role("link", name="load it anew").click()
            headline(page, "1 of 2 nodes serves")
        nodes.start(1)
        nodes.wait_healed()


class Strict(Asked):
    """Nodes that serve with a majority only."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--partition", "majority"]


def test_a_node_that_waits_or_has_just_begun_says_for_whom(browser: Browser, tmp_path: Path) -> None:
    with Strict(3, tmp_path) as nodes:
        with opened(browser, nodes.page(0)) as page:
            nodes.kill(1)
            nodes.kill(2)
            headline(page, "None of 3 nodes serves, one is waiting and two are down")
            page.get_by_text(
                "only 1 of 3 nodes are in touch, and --partition majority demands 2"
            ).first.wait_for()
            held_to_all(page)
        nodes.kill(0)
        nodes.start(0)
        until(lambda: nodes.answers(0), PATIENCE_S, "it is asked again")
        with opened(browser, nodes.page(0), scheme="dark") as page:
            headline(page, "one is starting")
            page.get_by_text(f"waits for {nodes.addresses[1]}").first.wait_for()
            held_to_all(page)


class Draining(Asked):
    """Nodes that serve the clients whom they have for a long time after they were told to stop."""

    def argv(self, i: int) -> list[str]:
        return [*super().argv(i), "--drain", "60"]


def test_a_node_that_was_told_to_stop_says_so_while_it_serves_its_last_clients(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        Draining(2, tmp_path) as nodes,
        opened(browser, nodes.page(0)) as page,
        socket.create_connection((HOST, nodes.ports[0])) as last,
        nodes.stopping(0),
    ):
        page.get_by_text("lets no new clients in: leaving: was told to stop").wait_for()
        held_to_all(page)
        page.get_by_role("link", name="hold it still").click()
        page.get_by_role("link", name="load it anew").wait_for()
        last.close()


def test_nobody_elsewhere_reads_or_changes_anything_by_a_visitors_browser(
    browser: Browser, tmp_path: Path
) -> None:
    with Asked(1, tmp_path) as nodes:
        nodes.talk(0, b"set k 0 0 1\r\nx", b"STORED\r\n")
        target = nodes.page(0)
        before = json.loads(nodes.ask(0, "/status")[1])
        evil = (
            f'<form method=post action="{target}"><input name=kill value=all></form>'
            f'<iframe src="{target}"></iframe>'
        ).encode()
        with answering(evil, {"Content-Type": "text/html"}) as url:
            context = browser.new_context()
            page = context.new_page()
            page.goto(url)
            read = "url => fetch(url).then(answer => answer.text(), error => 'refused')"
            assert page.evaluate(read, target) == page.evaluate(read, f"{target}status") == "refused"
            assert page.frames[1].url.startswith("chrome-error:"), "it is shown in no frame"
            with page.expect_navigation() as posted:
                page.evaluate("document.forms[0].submit()")
            assert posted.value is not None and posted.value.status == 405
            # Whoever owns a name may let it stand for this machine.
            answer = page.goto(target.replace(HOST, "rebound.example"))
            assert answer is not None and answer.status == 421
            context.close()
        after = json.loads(nodes.ask(0, "/status")[1])
        assert (before["view"], before["nodes"][0]["about"]["items"]) == (
            after["view"],
            after["nodes"][0]["about"]["items"],
        )
        assert nodes.stored(0, "k").endswith(b"x\r\nEND\r\n")
