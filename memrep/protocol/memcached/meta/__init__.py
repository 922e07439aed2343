"""The meta commands of memcached 1.6 (its doc/protocol.txt, "Meta Commands"): mn mg ms md ma me.

Theory: a meta command is a verb, a key, and flags of one letter, some with a token behind it. The flags say
what to do and, in their order, what to show. So each command here is read into a `_Meta` (its flags by letter),
turned into one decision on the entry, and answered by walking over the flags once more.

Stale-while-revalidate, the pattern that the commands exist for: an entry may be marked STALE (by `md I`, or by
a `ms I` that comes late), and one client, told W, wins the right to make the value anew; until it has, the
others are told Z. Who wins is decided as every read-modify-write is: of many clients at many nodes it is one.

Where memcached counts accesses ("h", "l") this node tells its own. Flags that only tune memcached's insides
(the proxy's L and P) are taken and mean nothing.

Rule: a flag that nobody asked for changes nothing.

line      key and flags, read and checked
commands  what each command makes of an entry, and how it is answered
"""
