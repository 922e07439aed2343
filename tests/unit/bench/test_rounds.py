"""Rounds: everybody in turn, and ratios within a round."""

from __future__ import annotations

from bench.rounds import KEPT, Figures, Spread, measured, ratios


def _shape(**runs: list[float]) -> dict[str, list[Figures]]:
    return {name: [{"us": figure, "p99": 1.0} for figure in figures] for name, figures in runs.items()}


def test_each_round_asks_everybody_once_and_the_next_one_in_the_opposite_order() -> None:
    asked = []

    def measure(who: str) -> dict[str, Figures]:
        asked.append(who)
        return {"get": {"us": float(len(asked))}}

    shapes = measured({"a": "A", "b": "B"}, 3, measure)
    assert "".join(asked) == "ABBAAB"
    assert shapes == {"get": {"a": [{"us": 1}, {"us": 4}, {"us": 5}], "b": [{"us": 2}, {"us": 3}, {"us": 6}]}}


def test_a_ratio_pairs_what_was_measured_in_the_same_round() -> None:
    drifting = _shape(memrep=[20.0, 40.0, 90.0], memcached=[10.0, 20.0, 30.0])
    assert ratios(drifting, "memcached") == Spread(2.0, 2.0, 3.0)


def test_others_are_compared_with_the_last_memrep_before_them() -> None:
    shape = {
        "memrep": [{"us": 30.0}],
        "memcached": [{"us": 10.0}],
        "memrep, Redis' protocol": [{"us": 40.0}],
        "redis-server": [{"us": 10.0}],
    }
    assert ratios(shape, "memcached") == Spread(3.0, 3.0, 3.0)
    assert ratios(shape, "redis-server") == Spread(4.0, 4.0, 4.0)


def test_memrep_is_compared_with_nobody_and_nobody_with_nothing() -> None:
    assert ratios(_shape(memrep=[1.0], memcached=[0.0]), "memrep") is None
    assert ratios(_shape(memrep=[1.0], memcached=[0.0]), "memcached") is None
    assert ratios(_shape(memcached=[1.0]), "memcached") is None


def test_who_did_not_keep_the_pace_is_compared_with_nobody() -> None:
    kept = {"memrep": [{"us": 30.0, KEPT: 99.0}], "memcached": [{"us": 10.0, KEPT: 100.0}]}
    assert ratios(kept, "memcached") == Spread(3.0, 3.0, 3.0)
    for who in kept:
        assert ratios(kept | {who: [{"us": 30.0, KEPT: 97.0}]}, "memcached") is None
