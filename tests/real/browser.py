"""Debian's Chromium, without a screen, and axe-core, which judges whether everybody can use a page.

Playwright drives it, which is a Python package; the browsers that it offers are not downloaded. Whatever is
written to the console fails the test: there a browser says what it did not like, and what it has refused.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from .processes import CHECKOUT, find_program, missing

try:
    from playwright.sync_api import Browser, Page, sync_playwright
except ImportError:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip("the Python package playwright is not installed", allow_module_level=True)

Scheme = Literal["light", "dark"]

#: The narrowest telephone, a tablet on which the table only just fits, and a desk.
WIDTHS: Final = (320, 1100, 1280)

PATIENCE_MS: Final = 30_000

_FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]

_AXE: Final = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(found => ['serious', 'critical'].includes(found.impact))
    .map(found => `${found.id}: ${found.nodes.map(node => node.html).join(' ')}`)"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, until it is closed."""
    program = find_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, url: str, width: int = 1280, scheme: Scheme = "light") -> Iterator[Page]:
    """A page in a window of its own, of which the browser must find nothing to complain about."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"{request.url}: {request.failure}"))
    try:
        page.goto(url)
        yield page
        assert not said
    finally:
        context.close()


def faults(page: Page) -> list[str]:
    """What axe-core finds that keeps people from using a page."""
    page.evaluate(_axe())
    found: Any = page.evaluate(_AXE)
    return [str(fault) for fault in found]


def overhang(page: Page) -> int:
    """How many pixels of a page are beyond the right edge of its window."""
    wide: Any = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(wide)


@cache
def _axe() -> str:
    tool = CHECKOUT / "tools" / "node-packages"
    where = subprocess.run([tool, "where"], capture_output=True, text=True, check=True).stdout.strip()
    source = Path(where, "node_modules", "axe-core", "axe.min.js")
    if not source.exists():
        missing("axe-core (tools/node-packages build)")
    return source.read_text("utf-8")
