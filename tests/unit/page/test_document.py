"""The whole page: what is read of it (golden/), and that nothing in it can do anything.

`python -m tests.unit.page.test_document` writes the golden files anew; read the difference.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from memrep.page.document import REFRESH_S, document
from memrep.status.facts import Problem, Status
from memrep.status.last_hour import LastHour
from tests.harness.steps import at_once
from tests.harness.work import calls_of_each
from tests.unit.page.hours import busy_hour
from tests.unit.page.reading import Reading
from tests.unit.status.clusters import CLUSTERS, changed_about, cluster, with_node
from tests.unit.status.test_table import statuses

GOLDEN = Path(__file__).parent / "golden"
SHOWN = ("one", "three", "readme", "all_states", "no_majority", "before_the_first_view")


def _page(status: Status, hour: LastHour | None = None, **how: Any) -> str:
    return at_once(document(status, busy_hour() if hour is None else hour, **how)).body.decode()


def _read_out(name: str) -> str:
    return "\n".join(Reading(_page(CLUSTERS[name][0])).lines) + "\n"


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_is_read_as_in_its_golden_file(name: str) -> None:
    assert _read_out(name) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_cluster_has_a_page_that_is_whole(name: str) -> None:
    reading = Reading(_page(CLUSTERS[name][0]))
    assert [tag for tag, _ in reading.elements].count("h1") == 1


def test_no_step_makes_more_than_a_small_part_of_a_page() -> None:
    """A thousand calls are less than a quarter of a thousandth of a second on a slow machine."""
    many = cluster(12, [f"10.1.1.{n}:11211" for n in range(12)])
    crowded = msgspec.structs.replace(many, problems=CLUSTERS["readme"][0].problems * 10)
    for status in (*(status for status, _ in CLUSTERS.values()), many, crowded):
        for hour in (busy_hour(), LastHour()):
            assert max(calls_of_each(document(status, hour))) <= 1_000
    calls = calls_of_each(document(cluster(3), busy_hour()))
    assert sum(calls) > 5_000, "it is not worth the steps"


def test_a_tab_tells_whether_anything_is_wrong() -> None:
    assert Reading(_page(CLUSTERS["three"][0])).title == "3 of 3 serve · memrep"
    assert Reading(_page(CLUSTERS["readme"][0])).title == "! 3 of 4 serve · memrep"


def test_a_page_loads_itself_anew_unless_it_is_to_hold_still() -> None:
    status = cluster(3)
    moving, still = at_once(document(status, LastHour())), at_once(document(status, LastHour(), still=True))
    assert dict(moving.headers)["Refresh"] == str(REFRESH_S)
    assert "Refresh" not in dict(still.headers)
    assert b'href="/?still"' in moving.body
    assert b'href="/"' in still.body


def test_a_browser_is_told_to_run_and_fetch_nothing_and_what_the_style_is() -> None:
    made = at_once(document(cluster(3), LastHour()))
    headers = dict(made.headers)
    (style,) = re.findall(r"<style>(.*?)</style>", made.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert headers["Referrer-Policy"] == "no-referrer"


_LINKS = {"/", "/?still", "/status", "/metrics", "/ready"}


def _does_nothing(page: str) -> None:
    """Hold that nothing in it runs, fetches, or asks for anything but to be read."""
    for tag, attributes in Reading(page).elements:
        assert tag not in {"script", "iframe", "object", "embed", "form", "input", "button", "img", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on") and name not in {"style", "src", "xlink:href"}
            if name == "href":
                assert value in {"/", "/?still", "/status", "/metrics", "/ready"} or value.startswith(
                    "data:image/svg+xml,"
                )


def test_what_others_say_is_text_wherever_it_stands() -> None:
    evil = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    status = with_node(cluster(3), 2, name=evil, state=evil, why=evil, path=evil, refusal=evil, hears=[evil])
    about = changed_about(version=evil, state=evil, why=evil)
    status = with_node(status, 1, about=about, path=f"via {evil}", name=f"{evil}:1", why=evil)
    problem = Problem(kind=evil, severity="critical", nodes=[evil], text=evil, remedy=f"`{evil}`")
    page = _page(msgspec.structs.replace(status, problems=[problem], asked=evil), hindrance=evil)
    assert "<script" not in page and "<img" not in page
    _does_nothing(page)


@given(statuses.filter(lambda status: bool(status.nodes)))
@settings(max_examples=100)
def test_whatever_others_say_the_page_is_whole_and_does_nothing(status: Status) -> None:
    _does_nothing(_page(msgspec.structs.replace(status, at=1.8e9), LastHour()))  # its own clock is sane


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in SHOWN:
        (GOLDEN / f"{each}.txt").write_text(_read_out(each))
