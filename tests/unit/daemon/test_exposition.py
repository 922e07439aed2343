"""Metrics as text are read by both parsers of Prometheus' own library, with every name, kind and help."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.registry import Collector

from memrep.daemon.exposition import SERIES_MOST, expose
from memrep.status.metric import Gathered
from memrep.status.metrics import METRICS
from tests.harness.steps import at_once
from tests.unit.status.clusters import CLUSTERS, NAMES, cluster, gone
from tests.unit.status.test_metrics import FIGURES, PROCESS

GATHERED = Gathered(gone(cluster(3), 3), FIGURES, PROCESS)

#: What Prometheus sends.
SCRAPE = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

READERS: dict[str, Callable[[str], Iterable[Metric]]] = {"": read_text, SCRAPE: read_open_metrics}


@pytest.mark.parametrize("accept", READERS)
def test_each_metric_is_read_again_with_its_kind_its_help_and_its_series(accept: str) -> None:
    text, _ = at_once(expose(GATHERED, accept))
    families = {family.name: family for family in READERS[accept](text.decode())}
    assert list(families) == [metric.name.removesuffix("_total") for metric in METRICS]
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        told = {values: figure for values, figure in metric.tell(GATHERED) if figure is not None}
        read = {
            tuple(sample.labels[label] for label in metric.labels): sample.value for sample in family.samples
        }
        assert read == told
        assert {sample.name for sample in family.samples} <= {metric.name}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html, nonsense; version=", "text/plain; version=0.0.4"),
        (CONTENT_TYPE_LATEST, "text/plain; version=0.0.4"),
        # The library calls the same 0.0.1 in Debian 12, and 1.0.0 since.
        (SCRAPE, "application/openmetrics-text; version=(1.0.0|0.0.1)"),
        (
            "Application/OpenMetrics-Text; version=nonsense",
            "application/openmetrics-text; version=(1.0.0|0.0.1)",
        ),
    ],
)
def test_the_format_is_the_one_that_is_asked_for_or_the_older_one(accept: str, kind: str) -> None:
    text, content_type = at_once(expose(GATHERED, accept))
    assert re.match(kind, content_type)
    assert text.endswith(b"# EOF\n") == ("openmetrics" in kind)


def test_an_address_with_brackets_and_a_name_are_read_as_they_are() -> None:
    names = ["[fd00::1]:11211", 'a"b\\c:11211']
    (family,) = (
        family
        for family in read_text(at_once(expose(Gathered(cluster(2, names), FIGURES, PROCESS), ""))[0].decode())
        if family.name == "memrep_peer_detour"
    )
    assert [sample.labels["peer"] for sample in family.samples] == names[1:]


def test_nothing_is_told_of_what_the_library_itself_counts() -> None:
    text = at_once(expose(GATHERED, ""))[0].decode()
    assert "python_gc" not in text and "_created" not in text
    assert not any(family.name.startswith("memrep") for family in REGISTRY.collect())


def test_a_figure_that_cannot_be_told_now_is_left_out() -> None:
    process = msgspec.structs.replace(PROCESS, resident=None)
    text = at_once(expose(Gathered(GATHERED.status, FIGURES, process), ""))[0].decode()
    assert "\nprocess_resident_memory_bytes" not in text
    assert f'\nmemrep_peer_clock_offset_seconds{{peer="{NAMES[2]}"}}' not in text


class _Whole(Collector):
    """All metrics in one go, as the library would be given them."""

    def __init__(self, facts: Gathered) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        for metric in METRICS:
            family = Metric(metric.name.removesuffix("_total"), metric.help, metric.kind)
            for values, figure in metric.tell(self._facts):
                if figure is not None:
                    family.add_sample(metric.name, dict(zip(metric.labels, values, strict=True)), float(figure))
            yield family


@pytest.mark.parametrize("accept", READERS)
@pytest.mark.parametrize("name", CLUSTERS)
def test_the_parts_make_the_same_text_as_the_whole(name: str, accept: str) -> None:
    facts = Gathered(CLUSTERS[name][0], FIGURES, PROCESS)
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0" if accept else "")
    assert at_once(expose(facts, accept))[0] == encode(_Whole(facts))


@pytest.mark.parametrize("accept", READERS)
@pytest.mark.parametrize("nodes", [1, 3, 30])
def test_no_step_tells_more_than_a_few_series(nodes: int, accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = 0

    class Counted(Metric):
        def __init__(self, *given: str) -> None:
            nonlocal told
            told += 1
            super().__init__(*given)

        def add_sample(self, *given: Any, **more: Any) -> None:
            nonlocal told
            told += 1
            super().add_sample(*given, **more)

    monkeypatch.setattr("memrep.daemon.exposition.Family", Counted)
    facts = Gathered(cluster(nodes, [f"10.1.1.{n}:11211" for n in range(nodes)]), FIGURES, PROCESS)
    steps, each, done = expose(facts, accept), [], False
    while not done:
        told = 0
        done = next(steps, "the end") == "the end"
        each.append(told)
    assert max(each) <= 2 * SERIES_MOST + 1
    assert sum(each) > 100 and len(each) > 10, "it is not worth the steps"
