"""phpredis' locks: a `SET KEY_LOCK HOST|PID NX` is granted to the connection that it came on, and ends with it.

Problem: to Redis such a lock is a key like any other. A request whose PHP has died leaves it behind, for its
timeout at best; and where PHP has no time limit phpredis asks for none, and the session is lost to everybody.

Rule: a lock that is granted gets an owner, and ends with its connection (lock_table.py). The release needs no
rule: phpredis' script deletes it by its value, over whatever connection, for a request whose node has died
comes back over another one. Where the very command comes again that has taken it, from who did not hear the
answer, and the connection that it came on is gone, it is granted again: the value says that it is the same
process, and that has one request at a time. Every other refusal is Redis' own.
"""

from __future__ import annotations

from collections.abc import Callable

from memrep.engine.operations import Decision, Operation, Result
from memrep.php.lock_holder import LockHolder
from memrep.php.lock_table import LockTable, plain
from memrep.storage.entry import NEVER, Entry
from memrep.storage.owner import Owner


def taking(
    table: LockTable, holder: LockHolder, key: bytes, value: bytes, decide: Operation
) -> tuple[Operation, Callable[[Result], None]]:
    """Take a lock where `decide` stores it; its client owns it when that is committed.

    Args:
        table: what this node knows of everybody's locks.
        holder: who asks for it.
        key: the lock.
        value: who takes it, as it says.
        decide: what any client's command would make of what is there.

    Returns:
        How it is decided, and who is told the result.
    """
    asked = table.clock.now
    taken: list[Entry] = []

    def take(entry: Entry | None) -> Decision:
        taken.clear()
        again = entry is not None and entry.value == value and table.is_left(key, entry)
        decision = decide(None if again else entry)
        if isinstance(decision, tuple) and not holder.shared:
            new = decision[0]
            span = 0 if new.expires >= NEVER else new.expires - asked
            new.owner = Owner(table.me, span)
            # The timeout starts in full when the lock is taken, for however long the command has waited.
            new.expires = table.clock.now + span if span else NEVER
            taken.append(new)
        elif not isinstance(decision, tuple):
            table.waiters.refused(key, holder)
        return decision

    def done(result: Result) -> None:
        table.engine.counters.count_stored(result)
        if taken:
            table.granted(holder, key, taken[0])
            if holder.shared and key in holder.locks:  # that has shown meanwhile
                table.give_up(holder, key, plain)

    return take, done
