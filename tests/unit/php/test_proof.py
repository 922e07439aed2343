"""What PHP says in one breath proves that it is PHP, and nobody is judged before enough has been said."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memrep.php import proof
from memrep.protocol.command import OTHER, Said
from memrep.protocol.memcached.lookahead import lines

PECL, MEMCACHED = b"s.lock", b"memc.sess.key.lock.s"

ADD = Said(b"add", PECL, 768, b"1")
READ = Said(b"get", b"s")
WRITE = Said(b"set", b"s", 0, b"v")
PECL_RELEASE = Said(b"set", PECL, 768, b"0")
DELETE_PECL, DELETE_MEMCACHED = Said(b"delete", PECL), Said(b"delete", MEMCACHED)

Judge = Callable[[Iterator[Said | None]], bool | None]

JUDGES: dict[str, Judge] = {
    "takes": lambda ahead: proof.takes(ahead, PECL, b"s"),
    "reads": lambda ahead: proof.reads(ahead, PECL, b"s"),
    "releases pecl's": lambda ahead: proof.releases(ahead, b"s", PECL),
    "releases php-memcached's": lambda ahead: proof.releases(ahead, b"s", MEMCACHED),
}

#: Another key, other flags, another value.
NEAR_MISSES = [
    Said(b"get", b"t"),
    Said(b"delete", b"t.lock"),
    Said(b"delete", b"s"),
    Said(b"set", b"t", 0, b"v"),
    Said(b"add", PECL, 0, b"1"),
    Said(b"add", b"t.lock", 768, b"1"),
    Said(b"set", PECL, 0, b"0"),
]

sayings = st.sampled_from([ADD, READ, WRITE, PECL_RELEASE, DELETE_PECL, DELETE_MEMCACHED, OTHER, *NEAR_MISSES])


def _so_far(said: list[Said]) -> Iterator[Said | None]:
    """What has come by now; it may be that more does."""
    yield from said
    yield None


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
@given(said=st.lists(sayings, max_size=5))
def test_what_has_been_judged_once_is_not_judged_otherwise_when_more_is_said(
    judge: Judge, said: list[Said]
) -> None:
    verdicts = [judge(_so_far(said[:count])) for count in range(len(said) + 1)]
    known = [verdict for verdict in verdicts if verdict is not None]
    assert verdicts == [None] * (len(verdicts) - len(known)) + known
    assert len(set(known)) <= 1


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_who_says_something_else_or_no_more_at_all_is_no_session_handler(judge: Judge) -> None:
    assert judge(iter([OTHER])) is False


@pytest.mark.parametrize("breath", [b"add s.lock 768 15 1\r\n1\r\nget s\r\n", b"get s\r\n"])
def test_an_incr_takes_the_lock_from_the_moment_that_the_reading_behind_it_is_whole(breath: bytes) -> None:
    verdicts = [
        proof.takes(_so_far(list(lines(breath[:end], 0))), PECL, b"s") for end in range(len(breath) + 1)
    ]
    assert verdicts == [None] * len(breath) + [True]


@pytest.mark.parametrize(
    "said",
    [
        [Said(b"get", b"t")],
        [ADD, Said(b"get", b"t")],
        [ADD, ADD, READ],
        [Said(b"add", PECL, 0, b"1"), READ],
        [Said(b"add", PECL, 768, b"2"), READ],
        [Said(b"add", b"t.lock", 768, b"1"), READ],
        [WRITE, READ],
    ],
)
def test_whoever_says_a_word_that_pecl_does_not_say_takes_no_lock(said: list[Said]) -> None:
    assert proof.takes(_so_far(said), PECL, b"s") is False


def test_an_add_takes_the_lock_only_if_its_own_session_is_read_right_behind_it() -> None:
    assert proof.reads(_so_far([READ]), PECL, b"s") is True
    assert proof.reads(_so_far([Said(b"get", b"t"), READ]), PECL, b"s") is False
    assert proof.reads(_so_far([ADD, READ]), PECL, b"s") is False


@pytest.mark.parametrize(
    ("lock", "said", "verdict"),
    [
        (PECL, [PECL_RELEASE], True),
        (PECL, [DELETE_PECL], True),
        (PECL, [Said(b"set", PECL, 0, b"0")], False),
        (PECL, [Said(b"set", PECL, 768, b"1")], False),
        (PECL, [Said(b"delete", b"t.lock")], False),
        (PECL, [WRITE, PECL_RELEASE], False),
        (PECL, [], None),
        (MEMCACHED, [DELETE_MEMCACHED], True),
        (MEMCACHED, [WRITE, WRITE, WRITE, DELETE_MEMCACHED], True),
        (MEMCACHED, [WRITE, WRITE], None),
        (MEMCACHED, [Said(b"set", b"t", 0, b"v"), DELETE_MEMCACHED], False),
        (MEMCACHED, [READ, DELETE_MEMCACHED], False),
    ],
)
def test_a_release_right_behind_it_proves_a_write_and_php_memcacheds_may_have_been_sent_several_times(
    lock: bytes, said: list[Said], verdict: bool | None
) -> None:
    assert proof.releases(_so_far(said), b"s", lock) is verdict
