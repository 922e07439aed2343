"""PHP's own habits, all in these few rooms: what its session handlers do that a plain memcached gets wrong.

PHP's memcache extension (pecl) reads a session from one node and goes to the next only as deep as
`memcache.session_redundancy`, so its users set that to the number of nodes; then PHP itself sends every write,
and every release of a lock, to every node, each at its own moment. php-memcached does so with
`sess_number_of_replicas`. On one node after another that is harmless, on nodes that replicate it loses updates
and frees other requests' locks. And neither handler tells when it is done: pecl never unlocks a session that
was only read, or whose PHP process died, and the next request spins until the lock runs out. Three rules cure
it:

Copies. A write of a session that the cluster has already accepted through another node is answered and not
executed again (copies.py). Which keys are sessions shows by their lock: PHP takes that first. What comes over
the very connection that holds the lock is never a copy.

php-memcached copies by quiet commands, which it keeps back until its connection's next one: a copy may come
after the lock has been released, and several times if the first node did not answer. So there a quiet write is
a copy of a loud one, or the write itself where no loud one got through; a loud one never is a copy; and the
same quiet write again on the same connection is one with the first.

A lock belongs to the connection that took it. It is released by that connection, by its closing, or by its
timeout, which starts in full when the lock is taken. A release that comes over any other connection, while the
owner's node is there, is acknowledged and ignored: it is a copy, maybe of a request long past. When that node
is gone nobody owns the lock, and such a release counts, if it is not that of an earlier request: what was
written before it on the same connection tells, for the cluster has accepted that after the lock was granted, or
before. Releases that will count when the owner's node is gone are remembered; it may be dying. Increments of a
held lock, by those who wait for it, are answered and change nothing.

The walk. pecl-memcache 8.2 goes to the next node when it finds no session, asks for the lock again, meets its
own, and spins for 30 s. It goes on from a miss, not from an empty session, and PHP makes the same of both. What
one node does not hold none does, so there is nothing to be found further on: to who has taken a session's lock
and reads it in the same breath (see below; nobody else does), a session that does not exist is shown as an
empty one.

All or nothing. pecl sends "take the lock", "read the session" in one go. If it has been told of the lock, and
the connection breaks before it has the session, it takes the session for empty and overwrites it everywhere; if
it has been told nothing it goes to the next node. So a grant is withheld until the reading behind it is
answered.

The switch for all of it is `--php`. Keys that are no locks of PHP's, and whatever other clients lock with
`add`, keep memcached's plain meaning.

The rooms: `caller.py` is one client and what it means by its commands, `sessions.py` what the node knows of
everybody's locks, `holder.py` a client as far as locks go.
"""
