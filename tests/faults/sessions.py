"""Sessions: written by one client, read by it and by others, and deleted at logout.

Each session belongs to one thread, as a browser's requests come one after the other; half of them are read by
other threads at any moment, too. A logout deletes and then looks at every node. The id is used again later, as
happens with ids that live in cookies. What one protocol has written the other reads, renews and deletes.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.client import Client
from tests.faults.ledger import Ledger

_FILLER_MAX = 1_200


class Visitor(Client):
    """Owns some sessions."""

    def __init__(self, *args: object, ledgers: Sequence[Ledger]) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.ledgers = ledgers

    def step(self) -> None:
        """One visit: a write, a read, or a logout."""
        ledger = self.rng.choice(self.ledgers)
        dice = self.rng.random()
        if dice < 0.45:
            self._write(ledger)
        elif dice < 0.92:
            read(self, ledger)
        else:
            self._logout(ledger)

    def _write(self, ledger: Ledger) -> None:
        value = ledger.write("x" * self.rng.randrange(_FILLER_MAX))
        number = ledger.latest
        walk = self.set(ledger.key, value)
        ledger.diary.note(self.name, f"set number {number}", walk)
        if walk.answered:
            if walk.stored:
                ledger.acknowledged()
            else:
                self.world.found("other", f"{self.name} set {ledger.key}: {walk.reply[:60]!r}", ledger.diary)

    def _logout(self, ledger: Ledger) -> None:
        ledger.delete()
        number = ledger.latest
        walk = self.delete(ledger.key)
        ledger.diary.note(self.name, f"delete number {number}", walk)
        if walk.answered:
            ledger.acknowledged()
        for node in range(self.world.count):
            if node not in self.world.avoided:
                read(self, ledger, first=node)


class Onlooker(Client):
    """Reads the sessions of others."""

    def __init__(self, *args: object, ledgers: Sequence[Ledger]) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.ledgers = ledgers

    def step(self) -> None:
        """One look."""
        read(self, self.rng.choice(self.ledgers))


def read(client: Client, ledger: Ledger, first: int | None = None) -> None:
    """Read a session, beginning at node `first` if given, and judge what comes."""
    floor = ledger.floor
    nodes = None
    if first is not None:
        others = [node for node in range(client.world.count) if node not in {first, *client.world.avoided}]
        nodes = [first, *others]
    walk = client.get(ledger.key, nodes)
    ledger.diary.note(client.name, "get", walk)
    if not walk.answered:
        return
    wrong = ledger.judge(floor, walk.value)
    if wrong is not None:
        kind, text = wrong
        when = f"from {walk.begin - client.world.start:.3f} to {walk.end - client.world.start:.3f} s"
        client.world.found(
            kind, f"{ledger.key}: {client.name}, {when} at node {walk.node}, {text}", ledger.diary
        )
