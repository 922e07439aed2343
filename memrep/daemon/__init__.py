"""The daemon: a node with real sockets, clocks and signals. Rule: the only room that imports trio.

files               small files, read whole
guard               what an error of the operating system may cost
signals             which signals mean something
journal             whether systemd's journal reads
log_format          how a line of the log is written: for people, the journal, programs
last_words          what a command says of its failure
threads             threads, all of them begun at the start
log                 log lines; nobody stops a node by not reading them
notifier            what systemd is told
wall_clock          the time of day, which does not waver against the monotonic clock
time_slice          how long one part of a turn may last
reactor             one epoll: every socket of clients and peers, a turn at a time
host                the loop round it: sockets, ticks, and trio as a guest
listener            bound addresses that listen and refuse when told to
resolver            names are looked up in threads that are there
names               which addresses a host stands for
local_address       which address of the list is this machine's; whether a port can be had
redis_address       where Redis' clients come in, and where they are told to
admin_socket        where an operator asks, and nobody else
private_files       the nodes' secret, clients' passwords
certificate         what clients of TLS are shown
options             what the daemon was told
pending_handshakes  who has connected but not yet shown who he is
tls                 clients who speak TLS: the handshake, and the socket
lingering_close     how a client's socket is closed
delivery            whether an answer has reached its client's machine
client              one client's socket: it is read, executed, answered
slow_readers        clients whose unread replies cost memory that others wait for
client_census       who has asked how much, by host
clients             all clients: who is let in, who has to leave
client_ports        when the ports of clients are open, and who comes in
peer_allowlist      from which addresses nodes may call
half_open           whose SYN has come, though this machine cannot answer it yet
peer_links          one link's socket: what is sent on it, or read from it
dialler             the task that keeps this node's link to one peer
peers               all links: who may open one to this node, and those who dial
cgroup              how much memory the kernel grants
http_exchange       HTTP over one stream, whatever is sent on it
http_server         an HTTP server of bounded size
host_header         whom a request means, and that it is this machine
http_port           the port where an operator's programs ask from elsewhere
exposition          metrics as text for Prometheus; the only module with its library
front_page          the page for people, which is loaded when somebody opens it
metrics_page        the page of metrics, also where that library is not installed
pages               what is told of a node to everybody who may ask
admin               what only the admin socket tells, and does
origins             what was given, and whence each option
reloadable          which options a running node takes anew
reload              options that are read anew, all or nothing
reload_task         the task that has them read, for whoever wishes it
place               what a node needs of this machine, had once and kept
process_stats       what `stats` tells of the process
drain               the orderly end
standby             an operator takes the node out of service, and lets it in again
drain_desk          where he asks for that
old_stream          a connection to a server of the old store
old_dialogues       how one session is asked for there
old_server          one server there, and when it is left alone
fallback            the tasks that look for sessions there
slices              what takes long, a little at a time
key_names           keys as they are told to whoever need not know them
lock_desk           where he asks for PHP's locks
slow_desk           where he asks for slow commands
options_desk        where he sets the log's level, and has options read anew
config_desk         where he asks for options, and what a restart would make of them
told_by_http        all of what is told by HTTP, put together
session_desk        where he looks for sessions, and ends them
daemon              a running node: turns, tasks, signals, faults
serve               from the start of the process to its end
"""
