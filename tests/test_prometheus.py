"""deploy/prometheus is whole: every alarm is tried both ways and has a chapter, and asks for what nodes tell.

The judge of rules is Prometheus' own promtool.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from memrep.status.metrics import METRICS
from memrep.status.problems import KINDS
from tests.dashboard import FILE, ROWS, written
from tests.test_deploy import DEPLOY, run

PROMETHEUS: Final = DEPLOY / "prometheus"
RULES: Final = PROMETHEUS / "rules.yml"
TRIALS: Final = [PROMETHEUS / "rules_test.yml", PROMETHEUS / "rules_days_test.yml"]
RUNBOOKS: Final = DEPLOY.parent / "docs" / "runbooks.md"

#: What Prometheus has by itself.
ITS_OWN: Final = {"ALERTS", "up"}


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


ALARMS: Final = {rule["alert"]: rule for rule in _rules() if "alert" in rule}
RECORDED: Final = {rule["record"] for rule in _rules() if "record" in rule}


def _expressions() -> Iterator[str]:
    """Everything that Prometheus is asked by these files."""
    yield from (rule["expr"] for rule in _rules())
    for panel in json.loads(FILE.read_text())["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))


def test_promtool_accepts_rules_and_configuration_without_a_word() -> None:
    assert run("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml")).returncode == 0
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert (done.returncode, done.stderr) == (0, "")


def test_every_alarm_rings_where_it_should_and_nowhere_else() -> None:
    done = run("promtool", "test", "rules", *map(str, TRIALS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alarm_is_tried_both_ways() -> None:
    rings: set[str] = set()
    silent: set[str] = set()
    for path in TRIALS:
        for group in yaml.safe_load(path.read_text())["tests"]:
            for case in group["alert_rule_test"]:
                (rings if case["exp_alerts"] else silent).add(case["alertname"])
    assert rings == silent == ALARMS.keys()


def test_every_alarm_says_how_bad_it_is_and_has_a_chapter_that_says_what_to_do() -> None:
    chapters = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOKS.read_text(), re.MULTILINE | re.DOTALL))
    assert chapters.keys() == ALARMS.keys()
    for name, alarm in ALARMS.items():
        assert alarm["labels"]["severity"] in ("critical", "warning"), name
        assert alarm["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
        for word in ("Means", "Users", "Look", "Do"):
            assert f"**{word}**" in chapters[name], f"{name}: {word}"


def test_only_metrics_are_asked_for_that_a_node_tells() -> None:
    told = {metric.name for metric in METRICS} | RECORDED | ITS_OWN
    for expression in _expressions():
        bare = re.sub(r'"[^"]*"|\b(?:by|on|without) \([^)]*\)', "", expression)
        asked = set(re.findall(r"\b(?:[a-z]+:)?(?:memrep|process)_\w+(?::\w+)?|\bup\b|\bALERTS\b", bare))
        assert asked, expression
        assert asked <= told, expression


def test_labels_are_those_of_the_metrics() -> None:
    labels = {metric.name: {*metric.labels, "job", "instance"} for metric in METRICS}
    kinds = set(KINDS)
    for expression in _expressions():
        for name, picked in re.findall(r"\b((?:memrep|process)_\w+)\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)=", picked)) <= labels[name], expression
        for kind in re.findall(r'kind=~?"([^"]*)"', expression):
            assert set(kind.split("|")) <= kinds, expression


def test_the_dashboard_is_as_its_panels_are() -> None:
    assert FILE.read_text() == written(), "tools/write-dashboard writes it anew"


def test_every_panel_says_what_is_usual_and_rows_are_as_wide_as_the_page() -> None:
    for title, panels in ROWS.items():
        assert title.endswith("?")
        assert 24 % len(panels) == 0
        for panel in panels:
            assert len(panel.text) > 20 and panel.text.endswith("."), panel.title


def test_the_example_scrapes_the_nodes_of_the_other_examples() -> None:
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    assert re.match("memrep", job["job_name"])
    hosts = [target.rpartition(":")[0] for target in job["static_configs"][0]["targets"]]
    assert hosts == re.findall(r"tcp://([\d.]+):", (DEPLOY / "memrep.toml").read_text())[: len(hosts)]
    assert configuration["rule_files"] == [RULES.name]
    assert Path(RULES).exists()
