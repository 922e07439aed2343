"""The notation of binary packets (packet.py): each packet is spelled out here once, byte for byte."""

from __future__ import annotations

import pytest

from tests.conformance import packet
from tests.conformance.placeholders import BadTranscript, Known, Template, Verdict, compare, spell

KNOWN = Known(began=0x60000000, numbers={"c": 0x0102030405060708})

GET = b"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00" + bytes(8) + b"k"
HIT = (
    b"\x81\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x09"
    + bytes(7)
    + b"\x11"
    + b"\0\0\0\x05"
    + b"xy"
)
MISS = b"\x81\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x00" + bytes(8) + b"Not found"


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("get key=k", GET),
        ("noop opaque=0x01020304", b"\x80\x0a" + bytes(10) + b"\x01\x02\x03\x04" + bytes(8)),
        (
            "set key=k flags=1 exptime=2 value=xyz cas=$c",
            b"\x80\x01\x00\x01\x08\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08"
            b"\x00\x00\x00\x01\x00\x00\x00\x02kxyz",
        ),
        (
            "incrq key=k delta=1 initial=2 exptime={now+1}",
            b"\x80\x15\x00\x01\x14\x00\x00\x00\x00\x00\x00\x15"
            + bytes(12)
            + bytes(7)
            + b"\x01"
            + bytes(7)
            + b"\x02"
            b"\x60\x00\x00\x01k",
        ),
        ("flush", b"\x80\x08" + bytes(22)),
        ("flush exptime=1", b"\x80\x08\x00\x00\x04\x00\x00\x00\x00\x00\x00\x04" + bytes(12) + b"\0\0\0\x01"),
        (
            r"0x50 magic=0x81 keylen=7 extlen=8 datatype=9 vbucket=10 bodylen=11 extras=e key=k value=\x20",
            b"\x81\x50\x00\x07\x08\x09\x00\x0a\x00\x00\x00\x0b" + bytes(12) + b"ek ",
        ),
    ],
)
def test_a_request_stands_for_bytes(text: str, means: bytes) -> None:
    assert spell(packet.request(text), KNOWN) == means


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("get flags=5 value=xy cas=17 opaque=9", HIT),
        ("get status=not_found", MISS),
        ("getk status=not_found key=k value=", b"\x81\x0c\x00\x01\0\0\0\x01\0\0\0\x01" + bytes(12) + b"k"),
        (
            "incr value=0x102 cas=$c",
            b"\x81\x05" + bytes(6) + b"\0\0\0\x08" + bytes(4) + bytes(range(1, 9)) + bytes(6) + b"\x01\x02",
        ),
        ("deleteq status=exists", b"\x81\x14\0\0\0\0\0\x02\0\0\0\x14" + bytes(12) + b"Data exists for key."),
        ("delete", b"\x81\x04" + bytes(22)),
    ],
)
def test_a_reply_stands_for_bytes(text: str, means: bytes) -> None:
    template = packet.reply(text)
    assert spell(template, KNOWN) == means
    assert compare(template, KNOWN, means)[0] is Verdict.COMPLETE


def _verdicts(template: Template, data: bytes) -> set[Verdict]:
    """What is said of all that may have come of a reply before it is complete."""
    return {compare(template, KNOWN, data[:end])[0] for end in range(len(data))}


@pytest.mark.parametrize("text", ["get flags=5 value=xy opaque=9", "get flags=5 value={any} cas=17 opaque=9"])
def test_a_reply_whose_cas_or_value_may_be_any_is_still_one_packet(text: str) -> None:
    template = packet.reply(text)
    assert compare(template, KNOWN, HIT)[0] is Verdict.COMPLETE
    assert _verdicts(template, HIT) == {Verdict.PARTIAL}
    assert compare(template, KNOWN, HIT + b"x")[0] is Verdict.WRONG
    assert compare(template, KNOWN, MISS)[0] is Verdict.WRONG


def test_any_cas_is_any_but_none() -> None:
    none = HIT.replace(b"\x11", b"\0", 1)
    assert compare(packet.reply("get flags=5 value=xy opaque=9"), KNOWN, none)[0] is Verdict.WRONG


def test_a_cas_that_a_reply_tells_is_known_from_then_on() -> None:
    verdict, known = compare(packet.reply("get flags=5 value=xy opaque=9 cas=$new"), KNOWN, HIT)
    assert (verdict, known.numbers["new"]) == (Verdict.COMPLETE, 17)


def test_a_body_that_is_shorter_than_what_is_known_of_it_is_wrong() -> None:
    short = HIT[:11] + b"\x03" + HIT[12:]
    assert compare(packet.reply("get flags=5 value={any} cas=17 opaque=9"), KNOWN, short)[0] is Verdict.WRONG


def test_any_number_of_replies_ends_with_the_first_other_one() -> None:
    def stat(key: bytes, value: bytes) -> bytes:
        return b"\x81\x10\0%c\0\0\0\0\0\0\0%c" % (len(key), len(key + value)) + bytes(12) + key + value

    template = (*packet.replies("stat"), *packet.reply("stat"))
    end = stat(b"", b"")
    for data in (end, stat(b"pid", b"1") + end, stat(b"pid", b"1") + stat(b"uptime", b"22") + end):
        assert compare(template, KNOWN, data)[0] is Verdict.COMPLETE
        assert _verdicts(template, data) == {Verdict.PARTIAL}
    assert compare(template, KNOWN, stat(b"pid", b"") + end)[0] is Verdict.WRONG
    assert compare(template, KNOWN, stat(b"", b"1") + end)[0] is Verdict.WRONG


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("got key=k", "not a number"),
        ("0x100", "does not fit"),
        ("get key", "not a field"),
        ("get key=a key=b", "there already"),
        ("get flags=1", "not a field here"),
        ("set flags=0x100000000", "does not fit"),
        ("set flags=many", "not a number"),
        ("get key={now+1}", "only plain text"),
        ("set key={any}", "only plain text"),
        ("get status=ok", "not a field here"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadTranscript, match=complaint):
        packet.request(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("get status=fine", "not a status"),
        ("get value={any}", "only plain text"),
        ("delete flags=1", "not a field here"),
    ],
)
def test_a_reply_that_breaks_a_rule_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadTranscript, match=complaint):
        packet.reply(text)
