"""The simulator's clients say the same in every protocol, and understand the same."""

from __future__ import annotations

import pytest

from tests.harness.lone_node import LoneConnection, lone_node
from tests.simulation.codecs import TONGUES, Binary, Meta, Text, Tongue

EVERY: list[Tongue] = [Text(), Meta(), Binary()]
WITH_CONDITIONS: list[Tongue] = [Meta(), Binary()]

every_tongue = pytest.mark.parametrize("tongue", EVERY, ids=["text", "meta", "binary"])
with_conditions = pytest.mark.parametrize("tongue", WITH_CONDITIONS, ids=["meta", "binary"])
quiet_or_loud = pytest.mark.parametrize("quiet", [False, True], ids=["loud", "quiet"])


class Speaker:
    """One who speaks to a node alone."""

    def __init__(self, tongue: Tongue, quiet: bool = False) -> None:
        self._lone = lone_node()
        self._tongue = tongue
        self._quiet = quiet

    def say(self, verb: str, value: bytes = b"", unique: int = 0) -> bytes:
        """A command on the one key, on a connection of its own; what it was told."""
        client: LoneConnection = self._lone.connect()
        reply = client.receive(self._tongue.spell(verb, b"k", value, unique, self._quiet))
        told = self._tongue.told(verb, reply)
        assert told is not None
        told_at = (n for n in range(len(reply) + 1) if self._tongue.told(verb, reply[:n]) is not None)
        assert next(told_at) == len(reply) or self._quiet  # not before all of it is here
        return told

    def unique(self) -> int:
        """The cas unique that stands."""
        return int(self.say("gets").split(b"\r\n")[0].split(b" ")[4])


@every_tongue
@quiet_or_loud
def test_each_verb_succeeds_and_fails_in_the_same_words(tongue: Tongue, quiet: bool) -> None:
    speaker = Speaker(tongue, quiet)
    for verb, told in (
        ("get", b"END"), ("gets", b"END"), ("replace", b"NOT_STORED"), ("append", b"NOT_STORED"),
        ("prepend", b"NOT_STORED"), ("incr", b"NOT_FOUND"), ("delete", b"NOT_FOUND"), ("touch", b"NOT_FOUND"),
        ("add", b"STORED"), ("add", b"NOT_STORED"), ("replace", b"STORED"), ("set", b"STORED"),
        ("touch", b"TOUCHED"), ("incr", b"13"), ("append", b"STORED"), ("prepend", b"STORED"),
    ):  # fmt: skip
        assert speaker.say(verb, b"12") == told + b"\r\n", verb
    assert speaker.say("get").split(b"\r\n")[1:] == [b"121312", b"END", b""]
    assert speaker.say("delete") == b"DELETED\r\n"


@every_tongue
@quiet_or_loud
def test_cas_knows_the_value_that_gets_has_shown(tongue: Tongue, quiet: bool) -> None:
    speaker = Speaker(tongue, quiet)
    assert speaker.say("cas", b"1", 99) == b"NOT_FOUND\r\n"
    speaker.say("set", b"1")
    unique = speaker.unique()
    assert speaker.say("cas", b"2", unique) == b"STORED\r\n"
    assert speaker.say("cas", b"3", unique) == b"EXISTS\r\n"


@with_conditions
@quiet_or_loud
@pytest.mark.parametrize(
    ("verb", "told"), [("append", b"STORED"), ("prepend", b"STORED"), ("incr", b"2"), ("delete", b"DELETED")]
)
def test_other_verbs_have_conditions_too(tongue: Tongue, quiet: bool, verb: str, told: bytes) -> None:
    speaker = Speaker(tongue, quiet)
    speaker.say("set", b"1")
    unique = speaker.unique()
    assert speaker.say(verb, b"1", unique + 1) == b"EXISTS\r\n"
    assert speaker.say(verb, b"1", unique) == told + b"\r\n"


def test_each_protocol_is_spoken_by_some() -> None:
    assert {type(tongue) for tongue in TONGUES} == {Text, Meta, Binary}


def test_what_is_no_reply_means_nothing() -> None:
    assert Binary().told("set", b"\x81" + bytes(6) + b"\x77" + bytes(16)) == b"nonsense\r\n"
    assert Meta().told("add", b"XX\r\n") == b"nonsense\r\n"
