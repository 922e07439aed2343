"""What is left of a run, by what it has taken so far."""

from __future__ import annotations

from bench.progress import Progress


def test_what_is_left_is_told_at_each_beginning_and_grows_with_a_slow_machine() -> None:
    now = [100.0]
    progress = Progress({"idle": 60.0, "paced": 120.0, "php": 30.0}, lambda: now[0])
    assert progress.begin("idle") == "[1/3] idle; about 4 min left"
    now[0] += 90.0  # half as long again
    assert progress.begin("paced") == "[2/3] paced; about 4 min left"
    now[0] += 180.0
    assert progress.begin("php") == "[3/3] php; about 45 s left"
