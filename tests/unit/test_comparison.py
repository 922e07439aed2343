"""What bench/comparison calls lost, stale and failed, and how it tells of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.comparison.pages import FAILED, LOST, STALE, Ledger, Page, measure, pages_of, slices_of
from bench.comparison.picture import draw, small
from bench.comparison.table import Run, load, markdown, put_into, put_into_readme, save, text

Put = Callable[[str, Run | None], str]


def told(found: int | None, anomaly: str | None = None, **more: Any) -> dict[str, Any]:
    """A page as cycle.php tells of it."""
    return {"id": "a", "found": found, "anomaly": anomaly, "ms": 5.0, "at": 0.0, "notices": []} | more


def judged(*pages: dict[str, Any]) -> list[str]:
    ledger = Ledger(1)
    return [ledger.judge(page) for page in pages]


def test_a_page_that_finds_what_was_acknowledged_is_right() -> None:
    assert judged(told(1), told(2), told(3)) == ["", "", ""]


def test_an_empty_session_is_lost_once_and_is_the_users_from_then_on() -> None:
    assert judged(told(1), told(None, "empty"), told(1), told(2)) == ["", LOST, "", ""]


def test_a_lost_session_that_comes_back_is_not_what_its_user_had_last() -> None:
    assert judged(told(1), told(None, "empty"), told(2)) == ["", LOST, STALE]


def test_an_older_count_is_stale() -> None:
    assert judged(told(1), told(2), told(1, "stale"), told(2)) == ["", "", STALE, ""]


def test_a_page_that_does_not_start_has_failed_and_changes_nothing() -> None:
    assert judged(told(1), told(None, "failed start"), told(2)) == ["", FAILED, ""]


def test_a_write_that_failed_may_have_arrived_or_not() -> None:
    assert judged(told(1, "failed write"), told(1)) == [FAILED, ""]
    assert judged(told(1, "failed write"), told(2)) == [FAILED, ""]


def test_what_was_seen_to_have_arrived_does_not_go_away() -> None:
    assert judged(told(1, "failed write"), told(2, "failed write"), told(1)) == [FAILED, FAILED, STALE]


def test_a_refused_write_of_what_was_stale_leaves_the_last_state_right() -> None:
    assert judged(told(1), told(2), told(1, "stale, failed write"), told(3)) == ["", "", STALE, ""]


def test_a_page_counts_by_the_worst_that_happened_on_it() -> None:
    assert judged(told(None, "empty, failed write")) == [LOST]


def test_content_that_does_not_fit_its_count_is_not_the_users_state() -> None:
    assert judged(told(1, "torn")) == [STALE]


def test_each_session_has_a_ledger_of_its_own() -> None:
    pages = pages_of([told(1), told(1, id="b"), told(2)], 0, first_count=1)
    assert [page.kind for page in pages] == ["", "", ""]


def test_a_page_stands_where_it_was_asked_for() -> None:
    (page,) = pages_of([told(1, at=112.0, ms=1500.0, notices=["refused"])], 110.0, first_count=1)
    assert page == Page(0.5, 1500.0, "", ("refused",))


def test_a_slice_has_its_slowest_page_and_that_of_each_kind() -> None:
    slow, lost, early = Page(0.1, 9, ""), Page(0.2, 4, LOST), Page(-0.1, 2, "")
    before, behind = slices_of([slow, lost, early])
    assert (before.at_s, before.slowest_ms, before.wrong_ms) == (-0.25, 2, {})
    assert (behind.at_s, behind.slowest_ms, behind.wrong_ms) == (0, 9, {LOST: 4})


def test_what_is_summed_up_can_be_saved_shown_and_read_again(tmp_path: Path) -> None:
    pages = [Page(0, 1, ""), Page(0, 2, LOST, ("gone",)), Page(0, 1234, FAILED)]
    measured = measure("memcached", "kill", 3.0, pages)
    assert (measured.pages, measured.lost, measured.stale, measured.failed) == (3, 1, 0, 1)
    assert measured.whys == {"gone": 1}
    assert (measured.noticed, measured.median_ms, measured.longest_ms) == (1, 2, 1234)
    run = Run({"command": "make compare"}, [measured])
    save(run, tmp_path / "it.json")
    assert load(tmp_path / "it.json") == run
    assert markdown(run).startswith("- command: make compare\n\n| killed, returns empty |")
    assert "| 3 | **1** | 0 | **1** | 1234 ms |" in markdown(run)
    assert text([measured]).splitlines()[1].split()[-6:] == ["3", "1", "0", "1", "1234", "ms"]


def test_without_matplotlib_there_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    measured = measure("memcached", "kill", 3.0, [Page(0, 1, "")])
    assert not draw([measured], tmp_path / "it.svg")
    assert not list(tmp_path.iterdir())


def _run(pages: int) -> Run:
    return Run({}, [measure("memcached", "kill", 3.0, [Page(0, 1, "")] * pages)])


def test_the_small_picture_leaves_out_what_tells_nobody_apart() -> None:
    run = [*_run(1).found, measure("redis", "kill", 3.0, [Page(0, 1, "")])]
    assert small(run) == run[:1]


def test_a_page_of_docs_keeps_all_but_its_figures() -> None:
    place = "a\n<!-- measured: begin -->\n<!-- measured: end -->\nb\n"
    first = put_into(place, _run(1))
    assert "(comparison.svg)" in first
    assert "| 1 | 0 | 0 | 0 | 1 ms |" in first
    assert put_into(first, _run(2)) == first.replace("| 1 | 0", "| 2 | 0")
    assert put_into(first, None) == place


@pytest.mark.parametrize(("name", "put"), [("docs/comparison.md", put_into), ("README.md", put_into_readme)])
def test_figures_and_pictures_of_the_pages_are_what_the_run_beside_them_makes(name: str, put: Put) -> None:
    """And without a run there are none."""
    root = Path(__file__).parents[2]
    page, saved = (root / name).read_text(), root / "docs" / "comparison.json"
    assert page == put(page, load(saved) if saved.exists() else None)
    for picture in re.findall(r"\(([\w/-]*comparison[\w-]*\.svg)\)", page):
        assert ((root / name).parent / picture).exists()
