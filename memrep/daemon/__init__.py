"""The daemon: a node with real sockets, clocks and signals. The only floor that imports trio.

run          the nursery: serve, tick, dial, signals, the end
reactor      one task, one epoll: every socket of clients and peers, a turn at a time
clients      listening for clients; one client's socket
parting      how a client's socket is closed
tls          clients who speak TLS: the handshake, and the socket
certificate  what they are shown
peers        links to and from the other nodes, and the tasks that keep them dialled
neighbours   from which addresses they may call
anteroom     who has connected but not yet shown who he is
secret       what nodes prove to each other that they know
machine      which address of the list is this machine's; whether a port can be had
journal      log lines, and what systemd is told
signals      which signals mean something
"""
