"""The binary protocol (protocol-binary.txt), as libmemcached and PHP use it. Rule: a packet answers a packet.

packet    header, opcodes, statuses
shapes    what a header must say of its packet's lengths
request   one request, as far as its replies go
commands  all commands
"""
