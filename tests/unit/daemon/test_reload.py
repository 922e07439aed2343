"""Options are read anew as a whole or not at all, and files by themselves when they have changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from memrep.daemon.options import ServeOptions
from memrep.daemon.origins import Given
from memrep.daemon.private_files import read_secrets
from memrep.daemon.reload import Reloader, Source
from memrep.errors import UsageError
from memrep.status.reloads import Reloaded
from tests.unit.daemon.here import here

GIVEN: dict[str, object] = {
    "nodes": "a:1",
    "port": 1,
    "memory": 64,
    "connections": 9,
    "secret_file": "",
    "auth_file": "",
}


def _fits(options: ServeOptions) -> None:
    pass


class _Operator:
    """Who changes what is given, and a node that takes it."""

    def __init__(self, options: ServeOptions, **given: object) -> None:
        self.given: dict[str, object] = {**GIVEN, **given}
        self.taken: list[ServeOptions] = []
        self.reloader = Reloader(options, Source(self._now(), self._now, self._check), here)

    def _now(self) -> Given:
        return Given(dict(self.given))

    def _check(self, options: ServeOptions, given: Mapping[str, Any]) -> ServeOptions:
        if given["memory"] < 0:
            raise UsageError("memory is less than nothing")
        secrets = read_secrets(given["secret_file"]) if given["secret_file"] else ()
        node = attrs.evolve(options.node, memory=given["memory"], secrets=secrets)
        return attrs.evolve(options, node=node, connections=given["connections"])

    async def reload(self, **given: object) -> Reloaded:
        self.given |= given
        return await self.reloader.reload(_fits, self.taken.append)

    async def look(self) -> Reloaded | None:
        return await self.reloader.look(_fits, self.taken.append)


def _secret(tmp_path: Path, *lines: str) -> str:
    path, new = tmp_path / "secret", tmp_path / "new"
    new.write_text("\n".join(lines))
    new.chmod(0o600)
    new.replace(path)
    return str(path)


async def test_what_has_changed_is_taken_and_told(options: ServeOptions) -> None:
    operator = _Operator(options)
    assert await operator.reload(memory=32, connections=7) == Reloaded(["connections", "memory"])
    (taken,) = operator.taken
    assert (taken.node.memory, taken.connections) == (32, 7)
    assert operator.reloader.options is taken
    assert await operator.reload() == Reloaded()


async def test_what_needs_a_restart_is_refused_by_name_and_nothing_else_is_taken(options: ServeOptions) -> None:
    operator = _Operator(options)
    outcome = await operator.reload(nodes="a:1,b:1", port=2, memory=32)
    assert outcome.refused == [
        "nodes needs a restart of all nodes together, which ends all sessions",
        "port needs a restart of all nodes together, which ends all sessions",
    ]
    assert not outcome.changed and not operator.taken
    assert operator.reloader.options is options


async def test_one_mistake_is_enough_and_the_next_time_without_it_all_is_taken(options: ServeOptions) -> None:
    operator = _Operator(options)
    started = operator.reloader.at
    assert (await operator.reload(memory=-1, connections=7)).refused == ["memory is less than nothing"]
    assert (operator.taken, operator.reloader.succeeded, operator.reloader.at) == ([], False, started)
    assert await operator.reload(memory=1) == Reloaded(["connections", "memory"])
    assert operator.reloader.succeeded and operator.reloader.at > started


async def test_what_the_system_does_not_allow_is_refused(options: ServeOptions) -> None:
    operator = _Operator(options)

    def fits(wanted: ServeOptions) -> None:
        raise UsageError("too few descriptors")

    operator.given["connections"] = 1 << 30
    outcome = await operator.reloader.reload(fits, operator.taken.append)
    assert (outcome.refused, operator.taken) == (["too few descriptors"], [])


async def test_a_config_file_that_cannot_be_read_changes_nothing(options: ServeOptions) -> None:
    def read() -> Given:
        raise UsageError("it is no valid TOML")

    reloader = Reloader(options, Source(Given(GIVEN), read), here)
    assert (await reloader.reload(_fits, lambda options: None)).refused == ["it is no valid TOML"]


async def test_a_file_that_was_not_taken_for_another_ones_mistake_is_told_when_it_is(
    options: ServeOptions, tmp_path: Path
) -> None:
    operator = _Operator(options, secret_file=_secret(tmp_path, "a first secret of 16"))
    assert operator.reloader.other_files(operator.given) == set()
    _secret(tmp_path, "a third secret of 16")
    assert (await operator.reload(memory=-1)).refused
    assert operator.reloader.other_files(operator.given) == {"secret_file"}
    assert await operator.reload(memory=64) == Reloaded(["secret_file"])
    assert operator.reloader.other_files(operator.given) == set()


async def test_a_file_that_has_changed_is_taken_and_what_stands_in_the_config_file_is_not(
    options: ServeOptions, tmp_path: Path
) -> None:
    operator = _Operator(options, secret_file=_secret(tmp_path, "a first secret of 16"))
    assert await operator.look() is None
    operator.given["memory"] = 7
    _secret(tmp_path, "a third secret of 16")
    assert await operator.look() == Reloaded(["secret_file"])
    (taken,) = operator.taken
    assert taken.node.secrets == (b"a third secret of 16",)
    assert taken.node.memory == 64
    assert await operator.look() is None


async def test_a_link_that_is_swapped_is_a_change(options: ServeOptions, tmp_path: Path) -> None:
    """So does Kubernetes put a new secret in place."""
    link, other = tmp_path / "link", tmp_path / "other"
    link.symlink_to(_secret(tmp_path, "a first secret of 16"))
    operator = _Operator(options, secret_file=str(link))
    other.write_text("a third secret of 16")
    other.chmod(0o600)
    (tmp_path / "new_link").symlink_to(other)
    (tmp_path / "new_link").replace(link)
    assert await operator.look() == Reloaded(["secret_file"])


async def test_a_bad_file_is_refused_once_and_taken_when_it_is_mended(
    options: ServeOptions, tmp_path: Path
) -> None:
    operator = _Operator(options, secret_file=_secret(tmp_path, "a first secret of 16"))
    _secret(tmp_path, "short")
    outcome = await operator.look()
    assert outcome is not None and "holds 5 bytes" in outcome.refused[0]
    assert not operator.reloader.succeeded
    assert await operator.look() is None
    _secret(tmp_path, "a third secret of 16")
    assert await operator.look() == Reloaded(["secret_file"])
    assert operator.reloader.succeeded


async def test_a_file_that_has_gone_is_refused(options: ServeOptions, tmp_path: Path) -> None:
    operator = _Operator(options, secret_file=_secret(tmp_path, "a first secret of 16"))
    (tmp_path / "secret").unlink()
    outcome = await operator.look()
    assert outcome is not None and "No such file" in outcome.refused[0]
    assert await operator.look() is None


@pytest.mark.parametrize(("before", "after", "word"), [("", "f", "added"), ("f", "", "left out")])
async def test_whether_there_is_a_secret_at_all_is_settled_at_the_start(
    options: ServeOptions, before: str, after: str, word: str
) -> None:
    operator = _Operator(options, auth_file=before)
    (why,) = (await operator.reload(auth_file=after)).refused
    assert why == f"auth_file cannot be {word} by a running node, that needs a restart, one node at a time"


def test_options_that_come_from_nowhere_stay_as_they_are(options: ServeOptions) -> None:
    reloader = Reloader(options, None, here)
    assert not reloader.watches
    assert reloader.options is options
