"""The engine: what commands mean. Rule: it knows no spelling of them, and reaches peers by `Replicator` alone.

operations     what a command makes of the entry that it finds, as pure functions
future         a command whose outcome is not known yet
counters       every counter, each declared once
ceiling        how much the kernel grants
replicator     SEAM: who carries a write to every node that must hold it
eviction       the size limit of one item, the memory limit of all, and what has to go
engine         the commands
"""
