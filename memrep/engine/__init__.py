"""The engine: what commands mean. Rule: it knows no spelling of them, and reaches peers by `Replicator` alone.

operations     what a command makes of the entry that it finds, as pure functions
future         a command whose outcome is not known yet
counters       every counter, each declared once
ceiling        how much the kernel grants
replicator     SEAM: who carries a write to every node that must hold it
keyspace       the keys as commands find them, and reads that wait until a key is clean
modification   read-modify-writes: decide, propose, begin anew
item_limit     the size limit of one item
eviction       the memory limit of all, and what has to go
flush          flush_all, at once or later
engine         the commands
fallback       the commands where what is not here may be elsewhere
"""
