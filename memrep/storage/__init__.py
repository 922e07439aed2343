"""Storage: what one node holds. Rule: it knows no peer, no protocol and no client.

version     what orders two writes of a key, and the clock that hands versions out
owner       to whom the entry of a session lock belongs
entry       what one key holds: value, version, deadline
table       keys to entries, in many small dicts
digest      where two stores differ, without listing their keys
store       the committed entries: expiry, least-recently-used order, tombstones, cost
duplicates  writes that the cluster has already accepted at another node
pending     writes in flight, and who waits for them
"""
