"""Keys are told hashed, or openly, and always as text."""

from __future__ import annotations

from memrep.daemon.key_names import hashed, named, spelled, unspelled


def test_a_hash_tells_keys_apart_and_not_what_they_are() -> None:
    assert hashed(b"memc.sess.key.abc") == hashed(b"memc.sess.key.abc") != hashed(b"memc.sess.key.abd")
    assert "abc" not in named(b"memc.sess.key.abc", openly=False)


def test_a_key_is_told_as_it_is_where_that_is_asked_for() -> None:
    assert named(b"memc.sess.key.abc", openly=True) == "memc.sess.key.abc"
    assert spelled(b"\xff1") == "\\xff1"
    assert unspelled(spelled(b"\xff1")) == b"\xff1"
