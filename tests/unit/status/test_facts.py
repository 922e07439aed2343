"""The facts travel: as JSON to other people's programs, and between versions of memrep."""

from __future__ import annotations

import msgspec

from memrep.status.facts import FORMAT, SERVING, About, AboutOnWire, NodeStatus, Status


def test_the_json_names_everything_and_bears_its_format() -> None:
    node = NodeStatus(name="a:1", asked=True, state=SERVING, about=About(version="1.0", items=3))
    status = Status(asked="a:1", at=1.5, view=7, majority=True, strict=False, writes_in_flight=0, nodes=[node])
    read = msgspec.json.decode(msgspec.json.encode(status))
    assert read["format"] == FORMAT
    assert read["nodes"][0]["state"] == "serving"
    assert (read["nodes"][0]["about"]["version"], read["nodes"][0]["about"]["items"]) == ("1.0", 3)
    assert msgspec.json.decode(msgspec.json.encode(status), type=Status) == status


def test_a_newer_node_may_say_more_of_itself_and_an_older_one_less() -> None:
    newer = msgspec.msgpack.encode([*msgspec.structs.astuple(About(version="2.0", items=5)), "more"])
    assert msgspec.msgpack.decode(newer, type=AboutOnWire) == AboutOnWire(version="2.0", items=5)
    older = msgspec.msgpack.encode(["0.9", SERVING, 12])
    read = msgspec.msgpack.decode(older, type=AboutOnWire)
    assert read == AboutOnWire(version="0.9", state=SERVING, since_ms=12)


def test_who_reads_the_json_may_know_less_than_it_says() -> None:
    known = b'"asked":"a:1","at":0,"view":1,"majority":true,"strict":false,"writes_in_flight":0,"nodes":[]'
    told = b'{"more":[1],' + known + b"}"
    assert msgspec.json.decode(told, type=Status).asked == "a:1"
