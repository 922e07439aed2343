"""The nodes, figure by figure, for eyes and for ears."""

from __future__ import annotations

from memrep.page.node_table import node_table
from memrep.status.facts import Status
from tests.harness.steps import at_once
from tests.unit.page.reading import Reading
from tests.unit.status.clusters import IPV6, NAMES, changed_about, cluster, gone, with_node


def _rows(status: Status) -> list[list[str]]:
    lines = Reading(str(at_once(node_table(status)))).lines
    return [line.removeprefix("| ").split(" | ") for line in lines if line.startswith("| ")]


def test_each_node_has_a_row_with_a_cell_for_each_heading() -> None:
    headings, *rows = _rows(cluster(3))
    assert headings == [
        "Node", "State", "Items", "Memory", "Clients", "Commands/s", "Lag", "Clock", "Path", "Version",
    ]  # fmt: skip
    assert rows[0] == [
        f"{NAMES[0]} this one", "serving for 4d 4h", "100,212", "61 of 64 MB", "212 of 1,024", "3,120", "-",
        "+0ms", "-", "1.2.0",
    ]  # fmt: skip
    assert [row[0] for row in rows[1:]] == NAMES[1:3]
    assert rows[1][-4:] == ["0", "+2ms", "direct", "1.2.0"]


def test_of_a_node_that_is_gone_nothing_is_told_but_why() -> None:
    row = _rows(gone(cluster(2), 2, refusal="connection refused"))[2]
    assert row == [NAMES[1], "down for 3 min it has stopped connection refused", *["-"] * 8]


def test_a_way_around_is_named_shortly() -> None:
    assert _rows(with_node(cluster(3), 2, path=f"via {NAMES[2]}"))[2][8] == "via 10.3.3.3"
    assert _rows(with_node(cluster(3), 2, path="one way"))[2][8] == "one way"
    assert _rows(with_node(cluster(3), 2, path=""))[2][8] == "none"


def test_each_part_says_what_it_is_though_it_is_laid_out_as_a_card() -> None:
    roles = {
        "table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell",
    }  # fmt: skip
    for tag, attributes in Reading(str(at_once(node_table(cluster(3))))).elements:
        if tag in roles:
            assert attributes["role"] == roles[tag]
        if tag == "th":
            assert (attributes["scope"], attributes["role"]) in (("col", "columnheader"), ("row", "rowheader"))
        if tag == "td":
            assert attributes["data-label"]


def test_a_bar_is_as_long_as_memory_is_full_and_no_longer() -> None:
    assert 'width="95"' in str(at_once(node_table(cluster(1))))
    for used, limit, width in ((9, 4, 100), (9, 0, 0), (-1, 4, 0)):
        status = with_node(cluster(1), 1, about=changed_about(used=used, limit=limit))
        assert f'width="{width}"' in str(at_once(node_table(status)))


def test_a_long_name_may_be_broken_and_is_whole_to_who_hears_it() -> None:
    assert f"{IPV6[0]} this one" in [row[0] for row in _rows(cluster(3, IPV6))]
    assert "<wbr>" in str(at_once(node_table(cluster(3, IPV6))))
