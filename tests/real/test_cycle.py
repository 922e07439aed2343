"""Whether cycle.php sees what it is there to see.

A check that cannot fail proves nothing, and this one is easily made blind: PHP turns lost, old and
torn sessions into something that looks right. So it runs here against plain memcacheds, which lose
and age sessions as their users know them to, and has to say so.
"""

from pathlib import Path

import pytest

from .cluster import Unreplicated
from .generation import both_generations
from .php import Php, pecl_memcache, session_ids, version_of
from .processes import accepts, until

pytestmark = [pytest.mark.real, both_generations]


def test_healthy_servers_cause_no_anomaly(tmp_path: Path) -> None:
    with Unreplicated(3, tmp_path) as servers, Php(pecl_memcache(servers.ports, 3), tmp_path) as php:
        for _ in range(3):
            assert php.ask("round").ok == 20
        assert php.anomalies == []


def test_a_restarted_memcached_shows_as_empty_sessions(tmp_path: Path) -> None:
    with Unreplicated(3, tmp_path) as servers, Php(pecl_memcache(servers.ports, 1), tmp_path) as php:
        assert php.ask("round").ok == 20
        servers.kill(1)
        servers.start(1)
        servers.wait_healed()
        outcome = php.ask("round")
        assert set(outcome.anomalies) == {"empty"}
        assert 0 < outcome.anomalies["empty"] < 20


def test_a_client_side_copy_does_not_save_a_restarted_memcached(tmp_path: Path) -> None:
    """The case that memrep exists for: redundancy 3, and the empty server still wins.

    Later versions than 8.0 ask another server before they believe that there is nothing.
    """
    with Unreplicated(3, tmp_path) as servers, Php(pecl_memcache(servers.ports, 3), tmp_path) as php:
        assert php.ask("round").ok == 20
        servers.kill(1)
        assert php.ask("round").ok == 20
        servers.start(1)
        servers.wait_healed()
        believes_it = version_of("memcache").startswith(("4.", "8.0"))  # 8.0 says 4.0.5.2
        assert set(php.ask("round").anomalies) == ({"empty"} if believes_it else set())


def test_an_old_copy_shows_as_stale_and_a_changed_one_as_torn(tmp_path: Path) -> None:
    with (
        Unreplicated(1, tmp_path) as server,
        Php(pecl_memcache(server.ports, 1), tmp_path, sessions=2) as php,
    ):
        old, torn = session_ids(2)
        assert php.ask("round").ok == 2
        first = {key: server.stored(0, key).partition(b"\r\n")[2] for key in (old, torn)}
        assert php.ask("round").ok == 2
        # Both get their first value back, one of them under the second count.
        for key, value in ((old, first[old]), (torn, first[torn].replace(b"n|i:1;", b"n|i:2;"))):
            data = value.removesuffix(b"\r\nEND\r\n")
            server.talk(0, f"set {key} 0 0 {len(data)}\r\n".encode() + data, end=b"STORED\r\n")
        assert php.ask("round").anomalies == {"stale": 1, "torn": 1}


def test_a_server_that_refuses_everything_shows_as_failed_writes(tmp_path: Path) -> None:
    with Unreplicated(1, tmp_path) as server, Php(pecl_memcache(server.ports, 1), tmp_path) as php:
        assert php.ask("round").ok == 20
        server.kill(0)
        until(lambda: not accepts(server.ports[0]), 5, "the killed server refuses")
        outcome = php.ask("round")
        assert sum(outcome.anomalies.values()) == 20
        assert all("failed" in anomaly for anomaly in outcome.anomalies)
