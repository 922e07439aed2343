"""Prefixes that nobody has declared: learned from what only php-memcached says, and not without bound."""

from __future__ import annotations

import pytest

from memrep.php.learned_prefixes import LearnedPrefixes
from memrep.php.options import PhpOptions

MEMCACHED, ANYBODYS = b"memc.sess.key.lock.s", b"shop.lock.0123456789abcdefghijkl"


def _learned() -> tuple[LearnedPrefixes, list[str]]:
    """What a node that was told nothing has learned, and what it has told its operator."""
    said: list[str] = []
    return LearnedPrefixes(PhpOptions().prefixes, said.append), said


def test_a_prefix_is_learned_once_and_told_to_the_operator() -> None:
    learned, said = _learned()
    assert not learned.covers(ANYBODYS)
    for _ in range(2):
        learned.learn(ANYBODYS)
    (line,) = said
    assert "'shop.lock.'" in line and "--lock-prefix" in line
    assert learned.covers(b"shop.lock." + b"x" * 22)
    assert not learned.covers(b"shop.lock.page")
    assert not learned.covers(b"blog.lock." + b"x" * 22)


@pytest.mark.parametrize("lock", [b"shop.lock.page", MEMCACHED + b"x" * 22])
def test_nothing_is_learned_of_names_that_are_too_short_for_a_session_or_known_anyhow(lock: bytes) -> None:
    learned, said = _learned()
    learned.learn(lock)
    assert not (said or learned.covers(lock))


def test_whoever_makes_up_prefixes_costs_a_bounded_amount() -> None:
    learned, said = _learned()
    locks = [b"%d.lock." % number + b"x" * 22 for number in range(100)]
    for lock in locks:
        learned.learn(lock)
    assert [learned.covers(lock) for lock in locks] == [True] * 64 + [False] * 36
    assert len(said) == 64
