"""memrep's tests.

unit         a file for each module of memrep/, and what spans the modules of one room
harness      what tests without I/O are built of
conformance  conversations that memcached and Redis themselves have proved
simulation   whole nodes in virtual time, by seeds
fuzz         input that breaks a parser: grammatical, and by coverage
faults       real nodes under a checked load, killed, frozen and cut off
oserrors     every system call of a real node fails
real         PHP, memcached, proxies, and real processes
"""
