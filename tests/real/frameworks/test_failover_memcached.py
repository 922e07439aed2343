"""deploy/php/FailoverMemcached.php: whatever nodes are gone, every command gets its right answer."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.real.cluster import Cluster
from tests.real.php import find_php
from tests.real.processes import HOST

from .sites import DEPLOY, HERE

pytestmark = pytest.mark.real

KEYS = 20  # so many that each node has some


def wrong_answers(cluster: Cluster, round_number: int, client: str, binary: bool) -> list[str]:
    """What a PHP with this class was answered wrongly in this round."""
    settings = {
        "class_file": str(DEPLOY / "php/FailoverMemcached.php"),
        "class": client,
        "binary": binary,
        "servers": [[HOST, port] for port in cluster.ports],
        "keys": KEYS,
        "round": round_number,
    }
    argv = [find_php("memcached"), str(HERE / "failover.php"), json.dumps(settings)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    answers: list[str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_no_answer_is_wrong_while_nodes_are_killed_and_replaced(binary: bool, tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster:
        rounds = iter(range(100))

        def nothing_is_wrong() -> None:
            assert wrong_answers(cluster, next(rounds), "App\\FailoverMemcached", binary) == []

        nothing_is_wrong()
        for victim in range(cluster.count):
            cluster.kill(victim)
            nothing_is_wrong()
            cluster.start(victim)
            cluster.wait_healed()
        cluster.kill(0)
        cluster.kill(1)
        nothing_is_wrong()


def test_when_no_node_answers_every_command_is_an_exception(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster:
        for i in range(cluster.count):
            cluster.kill(i)
        answers = wrong_answers(cluster, 0, "App\\FailoverMemcached", binary=False)
    assert len(answers) == 10 * KEYS
    assert all("no memrep node answers" in answer for answer in answers)


def test_the_plain_class_answers_that_sessions_are_not_there(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster:
        assert wrong_answers(cluster, 0, "Memcached", binary=False) == []
        cluster.kill(1)
        answers = wrong_answers(cluster, 1, "Memcached", binary=False)
    assert any(answer.startswith("get ") and "false" in answer for answer in answers)
