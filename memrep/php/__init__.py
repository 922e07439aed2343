"""PHP's own habits, all in these few rooms: what its session handlers do that a plain memcached gets wrong.

PHP's memcache extension (pecl) reads a session from one node and goes to the next only as deep as
`memcache.session_redundancy`, so its users set that to the number of nodes; then PHP itself sends every write,
and every release of a lock, to every node, each at its own moment. php-memcached does so with
`sess_number_of_replicas`. On one node after another that is harmless, on nodes that replicate it loses updates
and frees other requests' locks. And neither handler tells when it is done: pecl never unlocks a session that
was only read, or whose PHP process died, and the next request spins until the lock runs out. The rules below
cure it. They are heuristics, and must cost nobody else anything, so they begin with proof.

Proof. A site locks pages and jobs under the names that PHP gives to its sessions' locks: stampede locks are
`KEY.lock`, the class Memcache stores its integers with pecl's flags. So a name proves nothing, and what is not
proved has memcached's plain meaning, whatever the command and the protocol. pecl-memcache's session handler
shows by what it says in one breath, without waiting for an answer (proof.py): `incr SID.lock`, `add
SID.lock`, `get SID` takes a lock; a write with the release behind it is its own. Where the `incr` has come
alone the lock is taken at once, for nobody else may have it meanwhile, and the answer is withheld until the
rest is here; if it is not PHP's, what any client's command would have made is put in its place. php-memcached
waits for each answer, and its lock and its session may be at two nodes. It shows by its prefix, which the
operator knows (`--lock-prefix`). A lock that is proved carries a hold in its entry (owner.py), and that is
what counts from then on: for evictions, too.

A lock belongs to the connection that took it. It is released by that connection, by its closing, or by its
timeout, which starts in full when the lock is taken. Whatever would free it and comes over any other
connection, while the owner's node is there, is acknowledged and ignored: it is a copy, maybe of a request long
past. When that node is gone nobody owns the lock, and such a release counts, if it is not that of an earlier
request: in whose tenure the write before it on the same connection was tells. Releases that will count when
the owner's node is gone are remembered; it may be dying. What would count a held lock up or down, as those do
who wait for it, is answered and changes nothing.

Copies. A write belongs to the tenure of its lock's holder (dedup.py). One that equals what was written in
an earlier tenure, or in this one, and whose copy has not come to this node yet, is that copy, if it is proved
PHP's: it is answered and not executed. The same content written in a newer tenure is executed: what comes over
the connection with the lock always is, and where that connection's node is gone, what comes from who came after
the grant.

php-memcached copies by quiet commands, which it keeps back until its connection's next one: a copy may come
after the lock has been released, and several times if the first node did not answer. So there a quiet write is
a copy of a loud one, or the write itself where no loud one got through; a loud one never is a copy; and the
same quiet write again on the same connection is one with the first.

A prefix of which nobody has told. An `add` of `PREFIXlock.NAME` may be php-memcached's or anybody's. Its entry
says so (`Owner.maybe`), which changes nothing about it; but its session's writes are put down to its tenure. A
quiet write with a release of that very lock behind it, which no other client sends, is php-memcached's, and so
known for a copy; the prefix is learned then, and a quiet release that comes alone is held against it, too.
What else a lock's owner has, that its end frees the lock, needs `--lock-prefix`; the log says so.

Proxies. One that speaks for many requests over few connections (twemproxy) takes a lock on one and releases it
on another. A connection that asks for a lock while it holds one, or that says no more where pecl would, or
whose session is written aloud over another connection to the same node, is no request's own: its locks are any
client's from then on, and so are those that it takes later. A release that was ignored before is done.

The walk. pecl-memcache 8.2 goes to the next node when it finds no session, asks for the lock again, meets its
own, and spins for 30 s. It goes on from a miss, not from an empty session, and PHP makes the same of both.
What one node does not hold none does, so there is nothing to be found further on: to who has taken a session's
lock and reads it in the same breath (see below; nobody else does), a session that does not exist is shown as
an empty one.

All or nothing. pecl sends "take the lock", "read the session" in one go. If it has been told of the lock, and
the connection breaks before it has the session, it takes the session for empty and overwrites it everywhere;
if it has been told nothing it goes to the next node. So a grant is withheld until the reading behind it is
answered.

phpredis. It locks KEY by `SET KEY_LOCK HOST|PID NX`, with PX if PHP has a time limit, and asks again and again
until it is granted. That name with that value is proof enough (redis_locks.py): others' locks, which go by
their timeout and a token alone, and are handed from process to process, look otherwise. The lock belongs to its
connection, too, but its release counts over any: a script deletes it by its value, and a request whose node has
died goes on at the next one. What such a request has not released ends with its timeout; if it has none, a
second after its node is gone, or six if that has only fallen silent, or if who saw that is gone, too.

The switch for all of it is `--php`.

Rule: nothing below the node imports this package.

lock_names     which keys are PHP's locks
options        which of it is provided for, and which keys are PHP's
proof          what PHP's session handlers say in one breath
lock_index     the locks among the store's entries
dedup          late duplicates of a request's writes
doubt          grants in doubt
observer       what is made of what replication tells
learned_prefixes  prefixes of php-memcached's that nobody has declared
session_state  what the entries show of a session and its lock
lock_holder    a client as the holder of locks
lock_waiters   who has asked for a lock that was held
lock_table     which client of this node holds which lock, and what becomes of it
redis_locks    how phpredis takes a lock
lock_commands  one client, and how it takes locks
session_search  sessions by name, key or content, for an operator
held_locks     the locks that are held, for an operator
commands       one client, and what it writes and releases
policy         which commands a client is given, and what becomes of its locks
"""
