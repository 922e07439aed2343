"""Storage: what one node holds. Rule: it knows no peer, no protocol and no client.

version     what orders two writes of a key, and the clock that hands versions out
owner       to whose client an entry belongs
entry       what one key holds: value, version, deadline
owned_keys  the keys whose entry has an owner, and what a policy makes of that
namespaces  keys that are counted and flushed apart from all others
census      how many values each of them has
flushes     what has been flushed, and when
table       keys to entries, in many small dicts
digest      where two stores differ, without listing their keys
sweep       ends what has had its time, bit by bit, round after round
store       the committed entries: expiry, least-recently-used order, tombstones, cost
saved       what is saved of a node, and how it is read again
snapshot    what a node that starts has brought back of an earlier life
pending     writes in flight, and who waits for them
"""
