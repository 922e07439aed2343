"""Real nodes under a checked load and one kind of fault, again and again: `make faults`.

The simulator searches many schedules of an idealised cluster. Here nothing is idealised: processes are killed,
frozen and cut off, bytes wait in the kernel's queues, clients give up and go to the next node. What comes out
is held against what was acknowledged; nothing here knows how memrep works inside.

Reading order: `protocols` (how both say the same), `client` (a request of PHP's), `world` (what clients and
faults share), `findings`; what is checked, one idea each: `ledger` and `sessions`, `counters`, `locks`,
`redis_locks`, `queued`, `sides`; then `nodes` and `network` (where the nodes run), `faults` (what happens to
them), `run` (one fault's run) and `__main__` (the command).
"""
