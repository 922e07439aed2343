"""The drawing: everything is in it, nothing is outside of it or upon another."""

from __future__ import annotations

import math
import re

import pytest

from memrep.page.picture import picture, places
from tests.harness.steps import at_once
from tests.unit.page.reading import Reading
from tests.unit.page.test_hearing import CUT
from tests.unit.status.clusters import IPV6, NAMES, cluster, gone, with_node

WIDTH = 340


@pytest.mark.parametrize("count", range(1, 10))
def test_nodes_have_room_for_themselves_and_their_names(count: int) -> None:
    points, height = places(count)
    assert len(points) == count
    for number, point in enumerate(points):
        assert 50 <= point.x <= WIDTH - 50
        assert 25 <= point.y <= height - 25
        assert all(math.dist(point, other) >= 60 for other in points[:number])


def test_many_nodes_are_drawn_with_their_numbers() -> None:
    names = [f"10.0.0.{number}:11211" for number in range(1, 13)]
    drawing = str(at_once(picture(cluster(12, names))))
    assert 'class="name">12</text>' in drawing
    assert "10.0.0.12" not in drawing


def test_each_node_is_drawn_with_its_name_and_state_and_each_pair_with_its_link() -> None:
    drawing = str(at_once(picture(gone(cluster(4), 4))))
    for name in ("10.1.1.1", "10.2.2.2", "10.3.3.3", "10.4.4.4"):
        assert f'class="name">{name}</text>' in drawing
    assert drawing.count(">serving</text>") == 2
    assert drawing.count(">serving, this one</text>") == drawing.count('class="ring"') == 1
    assert drawing.count(">down</text>") == 1
    assert drawing.count('class="link both"') == 3


def test_what_is_cut_and_the_way_around_are_drawn_and_explained() -> None:
    drawing = str(at_once(picture(CUT)))
    for kind in ("one-way", "detour"):
        assert drawing.count(f'class="link {kind}"') == 2, "once in the drawing, once in its key"
    assert "the way around, over a third node" in drawing
    assert 'class="key"' not in str(at_once(picture(cluster(3))))


@pytest.mark.parametrize("number", range(3, 8))
def test_a_way_around_keeps_clear_of_the_node_that_it_goes_over(number: int) -> None:
    status = with_node(cluster(number), 2, hears=NAMES[2:number], path=f"via {NAMES[2]}")
    found = re.search(r'd="M([\d.]+) ([\d.]+)C([\d.]+) ([\d.]+) ', str(at_once(picture(status))))
    assert found is not None
    corner = float(found[3]), float(found[4])
    assert 20 < math.dist(corner, places(number)[0][2]) < 40


def test_a_drawing_says_in_words_what_it_shows() -> None:
    reading = Reading(str(at_once(picture(CUT))))
    attributes = next(attributes for tag, attributes in reading.elements if tag == "svg")
    assert attributes["role"] == "img"
    (spoken,) = (line for line in reading.lines if line.startswith("(drawing) "))
    assert "10.2.2.2 does not hear 10.1.1.1; the other direction works." in spoken


def test_long_names_are_cut_so_that_they_still_differ() -> None:
    drawn = re.findall(r'class="name">([^<]*)<', str(at_once(picture(cluster(3, IPV6)))))
    assert len(set(drawn)) == 3
    assert max(map(len, drawn)) <= 16
