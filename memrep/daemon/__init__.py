"""The daemon: a node with real sockets, clocks and signals. Rule: the only room that imports trio.

files               small files, read whole
guard               what an error of the operating system may cost
signals             which signals mean something
log                 log lines, and what systemd is told; neither can stop a node by not listening
wall_clock          the time of day, which does not waver against the monotonic clock
time_slice          how long one part of a turn may last
reactor             one epoll: every socket of clients and peers, a turn at a time
host                the loop round it: sockets, ticks, and trio as a guest
listener            bound addresses that listen and refuse when told to
names               which addresses a host stands for
local_address       which address of the list is this machine's; whether a port can be had
redis_address       where Redis' clients come in, and where they are told to
private_files       the nodes' secret, clients' passwords
certificate         what clients of TLS are shown
options             what the daemon was told
pending_handshakes  who has connected but not yet shown who he is
tls                 clients who speak TLS: the handshake, and the socket
lingering_close     how a client's socket is closed
delivery            whether an answer has reached its client's machine
client              one client's socket: it is read, executed, answered
slow_readers        clients whose unread replies cost memory that others wait for
clients             all clients: who is let in, who has to leave
client_ports        when the ports of clients are open, and who comes in
peer_allowlist      from which addresses nodes may call
half_open           whose SYN has come, though this machine cannot answer it yet
peer_links          one link's socket: what is sent on it, or read from it
dialler             the task that keeps this node's link to one peer
peers               all links: who may open one to this node, and those who dial
cgroup              how much memory the kernel grants
place               what a node needs of this machine, had once and kept
process_stats       what `stats` tells of the process
drain               the orderly end
daemon              a running node: turns, tasks, signals, faults
serve               from the start of the process to its end
"""
