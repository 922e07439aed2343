"""The protocols of clients: bytes in, bytes out. Rule: a dialect decides nothing, it reads and spells.

users        who may come in
intake       room for commands that have come half
command      a command as it was said, before it is executed
replies      what one connection has to say, some of it not known yet
farewell     what a client is told by whom it is hung up on, and when
reply_gate   SEAM: what a policy may ask for between a command and its reply
dialect      what a protocol is to a connection
connection   one client: its input, its output, their bounds; whatever it speaks
claim        SEAM: how a client stores only where there is nothing
client_policy  SEAM: what clients mean by their commands
memcached    memcached's three dialects
resp         Redis' protocol
first_command  the first command of a piece of input, for people
negotiation  which dialect a client speaks: its first byte tells
"""
