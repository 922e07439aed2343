"""The whole page, and the headers that go with it.

It has no script, so that none can get in, and it fetches nothing: neither from elsewhere nor from here. A
browser is told so, and holds the page to it (Content-Security-Policy): its style is named by its hash, and
nothing else is let in. Nobody may show it in a frame, and whoever follows a link from it is not told whence.

It loads itself anew by a header, every few seconds. Whoever reads slowly, or selects a line to copy, can have
it hold still: that is another address, which has no such header."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from datetime import UTC, datetime
from typing import Final, NamedTuple

from memrep.page.html import Html, element, join, text, void
from memrep.page.node_table import node_table
from memrep.page.picture import picture
from memrep.page.plots import plots
from memrep.page.problem_list import problem_list
from memrep.page.sentence import headline, seen_from, severity_of, short_headline
from memrep.page.signs import CHANGING, mark, sign_of_severity
from memrep.page.style import STYLE
from memrep.status.facts import Status
from memrep.status.last_hour import LastHour
from memrep.status.nodes import asked_node
from memrep.status.steps import Steps

#: How long it is shown before it is loaded anew, seconds.
REFRESH_S: Final = 5

#: What a query says of whoever wants it to hold still.
STILL: Final = "still"

_STYLE_HASH: Final = b2a_base64(hashlib.sha256(STYLE.encode()).digest(), newline=False).decode()

_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_HASH}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)

#: What a tab shows of the worst problem: colours that are seen on light and on dark.
_ICONS: Final = {"critical": "d93025", "warning": "e08a00", CHANGING: "3f7fdb", "": "1a9c6b"}


#: What a side of a cut does that has no majority, by --partition.
_PARTITION: Final = {
    False: "A side of it that is cut off goes on by itself.",
    True: "A side of it that is cut off serves if it has a majority.",
}

_FOR_PROGRAMS: Final = (("/status", " (JSON), "), ("/metrics", " (Prometheus), "), ("/ready", "."))


class Document(NamedTuple):
    """The page.

    Attributes:
        body: HTML in UTF-8.
        headers: how a browser is to treat it.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...]


def document(status: Status, hour: LastHour, hindrance: str = "", *, still: bool = False) -> Steps[Document]:
    """Make the page, in small steps.

    Args:
        status: the cluster as a node sees it.
        hour: what that node has noted of itself.
        hindrance: why no clients come in there though it serves; "" if they do.
        still: whether it is to hold still.
    """
    head = _head(status)
    parts = yield from _body(status, hour, hindrance, still)
    yield
    whole = element("html", head, element("body", *parts), lang="en")
    headers = _HEADERS if still else (*_HEADERS, ("Refresh", str(REFRESH_S)))
    return Document(f"<!doctype html>\n{whole}\n".encode(), headers)


def _head(status: Status) -> Html:
    colour = _ICONS[severity_of(status)]
    disc = f"<circle cx='4' cy='4' r='4' fill='%23{colour}'/>"
    icon = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'>{disc}</svg>"
    return element(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="robots", content="noindex"),
        element("title", f"{'! ' if status.problems else ''}{short_headline(status)} · memrep"),
        void("link", rel="icon", href=f"data:image/svg+xml,{icon}"),
        element("style", Html(STYLE)),
    )


def _body(status: Status, hour: LastHour, hindrance: str, still: bool) -> Steps[tuple[Html, ...]]:
    header = element(
        "header",
        mark(sign_of_severity(severity_of(status))),
        element(
            "div",
            element("h1", headline(status)),
            element("p", seen_from(status, hindrance)),
            _freshness(status, still),
        ),
    )
    yield
    problems = yield from problem_list(status.problems)
    yield
    sight = yield from _sight(status, hour)
    yield
    nodes = yield from node_table(status)
    return header, element("main", problems, sight, nodes), _footer(status)


def _sight(status: Status, hour: LastHour) -> Steps[Html]:
    drawing = yield from picture(status)
    yield
    hearing = element(
        "section", element("h2", "Who hears whom", id="hearing"), drawing, aria_labelledby="hearing"
    )
    asked, last_hour = asked_node(status), text("")
    if asked is not None and asked.about is not None:
        drawings = yield from plots(hour, asked.about)
        last_hour = element(
            "section",
            element("h2", f"The last hour of {asked.name}", id="hour"),
            drawings,
            aria_labelledby="hour",
        )
    return element("div", hearing, last_hour, class_="sight")


def _freshness(status: Status, still: bool) -> Html:
    """Say how old this is; first of all, so that who reads it out can have it hold still at once."""
    at = element("time", datetime.fromtimestamp(status.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
    if still:
        pace, link = "and holding still", element("a", f"load it anew every {REFRESH_S} s", href="/")
    else:
        pace, link = f"loaded anew every {REFRESH_S} s", element("a", "hold it still", href=f"/?{STILL}")
    return element("p", "As of ", at, f", {pace}; ", link, ".")


def _footer(status: Status) -> Html:
    if status.view:
        majority = "with a majority" if status.majority else "without a majority"
        view = f"The cluster is in view {status.view}, {majority}"
    else:
        view = "The cluster has no view yet"
    return element(
        "footer",
        element("p", f"{view}. {_PARTITION[status.strict]}"),
        element(
            "p",
            "For programs: ",
            *(join(element("a", where, href=where), what) for where, what in _FOR_PROGRAMS),
        ),
    )
