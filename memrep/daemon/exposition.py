"""Metrics as text, for Prometheus and whatever else reads its format.

The format is prometheus_client's care: of it are used a collector, and the two encoders. Not used are what it
would count by itself, its server with threads, and its registries. Importing it takes a while and some memory,
so nothing imports this module but metrics_page.py, when it has to.

A text is put together of parts, of a few series each, so that it can be made in steps (status/steps.py). The
facts are gathered before the first one, so all parts are of the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import attrs
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from memrep.status.metric import Gathered, Metric
from memrep.status.metrics import METRICS
from memrep.status.steps import Steps

#: What asks for OpenMetrics, and how. Of an Accept header nothing else is looked at: whoever asks for something
#: that there is not is given the older text, which everybody reads.
_OPEN_METRICS: Final = "application/openmetrics-text"
_ASKED_FOR: Final = f"{_OPEN_METRICS}; version=1.0.0"

#: How such a text ends, the whole of it and not a part.
_END: Final = b"# EOF\n"

#: How much is told in one part, series; a step is that, or twice as much at most.
SERIES_MOST: Final = 10

#: Lines at the beginning of a family: its help and its kind.
_HEAD_LINES: Final = 2


@attrs.frozen(eq=False)
class _Told(Collector):
    """What the encoders take for a registry: they ask it for its families, and for nothing else."""

    family: Family

    def collect(self) -> Iterator[Family]:
        yield self.family


def expose(facts: Gathered, accept: str) -> Steps[tuple[bytes, str]]:
    """Return all metrics as text, and what kind of text it is.

    Args:
        facts: what they are made of.
        accept: the header of that name; "" if there is none.
    """
    encode, content_type = choose_encoder(_ASKED_FOR if _OPEN_METRICS in accept.lower() else "")
    texts: list[bytes] = []
    ends, done = False, 0
    for metric in METRICS:
        for number, part in enumerate(_parts(metric, facts)):
            # The encoder says of each what a family begins with, and what the whole ends with.
            text = encode(_Told(part))
            ends = text.endswith(_END)
            text = text.removesuffix(_END)
            texts.append(text.split(b"\n", _HEAD_LINES)[_HEAD_LINES] if number else text)
            done += 1 + len(part.samples)
            if done > SERIES_MOST:
                done = 0
                yield
    return b"".join(texts) + _END * ends, content_type


def _parts(metric: Metric, facts: Gathered) -> Iterator[Family]:
    """Yield a metric as families of a few series each; one without any if it has none."""
    series = ((values, figure) for values, figure in metric.tell(facts) if figure is not None)
    some = list(islice(series, SERIES_MOST))
    while True:
        # The library puts the ending of a counter where the format wants it.
        family = Family(metric.name.removesuffix("_total"), metric.help, metric.kind)
        for values, figure in some:
            family.add_sample(metric.name, dict(zip(metric.labels, values, strict=True)), float(figure))
        yield family
        some = list(islice(series, SERIES_MOST))
        if not some:
            return
