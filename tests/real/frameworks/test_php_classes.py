"""The two classes that PHP sites use: whatever nodes are gone, every command gets its right answer.

`Memcached` needs deploy/php/FailoverMemcached.php for that, `Memcache` one option. It is given the settings
of deploy/ for WordPress and Drupal, whose plugins use it but come with no package that could be tried here.
"""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.real.cluster import Cluster
from tests.real.generation import both_generations
from tests.real.php import find_php
from tests.real.processes import HOST

from .sites import DEPLOY, HERE, with_addresses

pytestmark = [pytest.mark.real, both_generations]

KEYS = 20  # so many that each node has some


def memcached(cluster: Cluster, round_number: int, *, failover: bool = True, binary: bool = False) -> list[str]:
    """What a PHP with the class Memcached, or with the one made of it, was answered wrongly in this round."""
    order = {
        "name": "binary" if binary else "text",
        "class_file": str(DEPLOY / "php/FailoverMemcached.php"),
        "class": "App\\FailoverMemcached" if failover else "Memcached",
        "binary": binary,
        "servers": [[HOST, port] for port in cluster.ports],
        "round": round_number,
    }
    return wrong_answers("memcached", "failover.php", order)


def memcache(cluster: Cluster, round_number: int, *, plugin: str) -> list[str]:
    """The same with the class Memcache and the settings for a plugin."""
    settings = cluster.directory / "settings.php"
    settings.write_text(with_addresses((DEPLOY / plugin).read_text(), cluster.ports))
    order = {"name": plugin, "settings_file": str(settings), "round": round_number}
    return wrong_answers("memcache", "pecl.php", order)


def wrong_answers(extension: str, script: str, order: dict[str, Any]) -> list[str]:
    # Warnings go to stderr; what counts is what a site gets.
    argv = [*find_php(extension), "-d", "display_errors=stderr", str(HERE / script)]
    argv.append(json.dumps(order | {"keys": KEYS}))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    answers: list[str] = json.loads(done.stdout)
    return answers


CLIENTS: dict[str, Callable[[Cluster, int], list[str]]] = {
    "FailoverMemcached, text": memcached,
    "FailoverMemcached, binary": partial(memcached, binary=True),
    "Memcache, WordPress": partial(memcache, plugin="wordpress/wp-config.php"),
    "Memcache, Drupal": partial(memcache, plugin="drupal/settings.php"),
}


def test_no_answer_is_wrong_while_nodes_are_killed_and_replaced(tmp_path: Path) -> None:
    def play(round_number: int) -> None:
        for name, client in CLIENTS.items():
            assert client(cluster, round_number) == [], name

    with Cluster(3, tmp_path) as cluster:
        play(0)
        for victim in range(cluster.count):
            cluster.kill(victim)
            play(1 + victim)
            cluster.start(victim)
            cluster.wait_healed()
        cluster.kill(0)
        cluster.kill(1)
        play(4)


def test_when_no_node_answers_every_command_is_an_exception(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster:
        for i in range(cluster.count):
            cluster.kill(i)
        answers = memcached(cluster, 0)
    assert len(answers) == 10 * KEYS
    assert all("no memrep node answers" in answer for answer in answers)


def test_the_plain_class_answers_that_sessions_are_not_there(tmp_path: Path) -> None:
    with Cluster(3, tmp_path) as cluster:
        assert memcached(cluster, 0, failover=False) == []
        cluster.kill(1)
        answers = memcached(cluster, 1, failover=False)
    assert any(answer.startswith("get ") and "false" in answer for answer in answers)
