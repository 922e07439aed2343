"""A real Prometheus watches three real nodes by the files of deploy/: every panel has data, and alarms ring.

The files are as they are, but for the addresses, how often is looked, and how long a trouble has to last.
"""

from __future__ import annotations

import json
import math
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from .processes import CHECKOUT, HOST, Child, Family, PortLease, find_program, until
from .test_http import Asked

pytestmark = pytest.mark.real

DEPLOYED: Final = CHECKOUT / "deploy" / "prometheus"
PATIENCE_S: Final = 60

#: What Grafana puts for what is picked at the top of the page.
PICKED: Final = {"$job": "memrep", "$instance": ".+", "$__rate_interval": "4s"}


def picked(expression: str) -> str:
    """The expression as Grafana asks it."""
    for name, value in PICKED.items():
        expression = expression.replace(name, value)
    return expression


class Watch:
    """A Prometheus that watches these nodes.

    Args:
        nodes: whom.
        port: where it answers.
    """

    def __init__(self, nodes: Asked, port: int) -> None:
        self.nodes = nodes
        self.url = f"http://{HOST}:{port}"

    def answer(self, route: str, **arguments: str) -> Any:
        """The data of an answer."""
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"{self.url}/api/v1/{route}?{query}", timeout=10) as response:
            return json.load(response)["data"]

    def figures(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series that this comes to now, with their labels."""
        return [
            (series["metric"], float(series["value"][1]))
            for series in self.answer("query", query=expression)["result"]
        ]

    def ring(self) -> set[tuple[str, str]]:
        """The alarms that ring, each with the node if it is about one."""
        firing = self.figures('ALERTS{alertstate="firing"}')
        return {(labels["alertname"], labels.get("instance", "")) for labels, _ in firing}

    def instance(self, i: int) -> str:
        return f"{HOST}:{self.nodes.http_port(i)}"


@contextmanager
def watched(nodes: Asked, directory: Path) -> Iterator[Watch]:
    """Watch these nodes by the files of deploy/."""
    program = find_program("prometheus")
    configuration = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    targets = [f"{HOST}:{nodes.http_port(i)}" for i in range(nodes.count)]
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = targets
    (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    rules = re.sub(r"^( +for): .*$", r"\1: 1s", (DEPLOYED / "rules.yml").read_text(), flags=re.MULTILINE)
    (directory / "rules.yml").write_text(rules)
    with closing(PortLease(1)) as lease, Family() as family:
        (port,) = lease.ports
        command = [
            program, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address={HOST}:{port}",
        ]  # fmt: skip
        family.add(Child("prometheus", command, directory))
        watch = Watch(nodes, port)

        def up() -> bool:
            try:
                return len(watch.figures('up{job="memrep"} == 1')) == nodes.count
            except OSError:
                return False

        until(up, PATIENCE_S, "Prometheus hears all nodes")
        yield watch


def test_every_panel_shows_something_and_a_node_that_is_gone_is_noticed(tmp_path: Path) -> None:
    page = json.loads((DEPLOYED / "dashboard.json").read_text())
    panels = {
        (panel["title"], target["expr"]) for panel in page["panels"] for target in panel.get("targets", [])
    }
    with Asked(3, tmp_path) as nodes, watched(nodes, tmp_path) as watch:

        def empty() -> set[str]:
            for i in range(3):
                nodes.talk(i, b"set k%d 0 100 1\r\nx" % i, b"STORED\r\n")
                nodes.stored(i, f"k{i}")
            found: set[str] = set()
            for title, expression in panels:
                figures = watch.figures(picked(expression))
                if not figures or not all(math.isfinite(figure) for _, figure in figures):
                    found.add(title)
            return found

        until(lambda: not empty(), PATIENCE_S, "every panel shows something")
        rules = [rule for group in watch.answer("rules")["groups"] for rule in group["rules"]]
        assert len(rules) > 20
        until(lambda: not watch.ring(), PATIENCE_S, "no alarm rings while all is well")
        assert {rule["health"] for rule in rules} == {"ok"}

        nodes.kill(2)
        alarm = "MemrepNodeDown", watch.instance(2)
        until(lambda: watch.ring() == {alarm}, PATIENCE_S, "one node is missed, and that is all")
        nodes.kill(1)
        missed = {
            alarm,
            ("MemrepNodeDown", watch.instance(1)),
            ("MemrepLastCopy", ""),
            ("MemrepNoMajority", ""),
        }
        until(lambda: watch.ring() == missed, PATIENCE_S, "one node alone has the sessions")
        assert watch.figures("max(memrep_nodes_configured) - sum(memrep_ready)")[0][1] == 2
        for i in (1, 2):
            nodes.start(i)
        nodes.wait_healed()
        until(lambda: not watch.ring(), PATIENCE_S, "all is well again")
        until(lambda: not empty(), PATIENCE_S, "every panel shows something again")
