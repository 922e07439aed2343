"""The binary protocol (protocol-binary.txt), as libmemcached and PHP use it. Rule: a packet answers a packet.

packet          header, opcodes, statuses
shapes          what a header must say of its packet's lengths
request         one request, as far as its replies go
sasl            the mechanism by which a client shows its password
client          one client, as its commands see it
retrieval       get gat
storage         set add replace append prepend
in_place        incr decr touch delete flush
administration  noop version quit stat
auth            the commands of a login
commands        packets, and which function executes which opcode
"""
