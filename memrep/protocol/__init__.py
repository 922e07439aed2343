"""The front doors: each protocol that clients speak, bytes in and bytes out.

commands      those that PHP's habits may bend
replies       what one connection has to say, some of it not known yet
connection    one client: its input, its output, their bounds; whatever it speaks
front         which protocol a client speaks: its first byte tells
text          the classic text protocol; retrieval.py has its gets of many keys
meta          the meta commands among its lines
binary        the binary protocol; packet.py spells it
login         what a client may say before it has shown a password
"""
