"""Locks of real PHP, as an operator is told of them: who holds one, and that the next page waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.admin_client import ask

from .administered import PATIENCE_S, Administered
from .parallel import Worker
from .php import pecl_memcache, php_memcached_binary, session_ids
from .processes import until

pytestmark = pytest.mark.real


@pytest.mark.parametrize("handler", ["pecl-memcache", "php-memcached"])
def test_the_lock_of_a_page_that_takes_long_is_told_and_that_another_page_waits(
    handler: str, tmp_path: Path
) -> None:
    with Administered(2, tmp_path) as cluster:
        if handler == "pecl-memcache":
            settings = pecl_memcache(cluster.ports, cluster.count)
            key = session_ids()[0]
        else:
            settings = php_memcached_binary(cluster.ports)
            key = f"memc.sess.key.{session_ids()[0]}"

        def told() -> list[dict[str, Any]]:
            """What each node says of this lock; one of the two knows its client."""
            locks = [json.loads(ask(cluster.admin(i), "/locks?keys=1")[1])["locks"] for i in range(2)]
            return [lock for each in locks for lock in each if lock["session"] == key]

        with Worker(settings, tmp_path, "holder") as holder, Worker(settings, tmp_path, "waiter") as waiter:
            assert holder.visit().good
            assert told() == []
            holder.hold()
            assert len(told()) == 2
            assert [bool(lock["holder"]) for lock in told()].count(True) == 1
            assert {lock["waiting"] for lock in told()} == {0}
            waiter.order("hold", id=0)
            until(lambda: sum(lock["waiting"] for lock in told()) > 0, PATIENCE_S, "somebody waits")
            shown = cluster.done(0, "locks")
            assert shown.startswith("1 lock held")
            assert key not in shown
            assert holder.release().good
            assert waiter.release().good
            until(lambda: told() == [], PATIENCE_S, "nobody holds it")
