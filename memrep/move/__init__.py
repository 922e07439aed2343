"""Sessions on their way: into memrep out of what kept them before, out of it again, into a file and back.

Theory: PHP's handlers differ in what they call a session and hardly in what they store: its own text. So each
move is the same three steps. A source lists what is there and reads it in batches, each item with the time that
it has left. A form turns the key of one handler into that of another, or says why that cannot be. A target
writes it, over what is there or only where nothing is. Sources and targets are processes that go on serving
users, so they are asked over their own protocols, in small pieces, at a rate that may be bounded.

Rule: nothing that was read is dropped without being counted, with the reason; and what a move has done it may
do again.

pace           how fast it may go, and what time it is
connection     one connection to a server, with bounded patience
php_files      PHP's own files
meta           memcached's meta commands
memcached      memcacheds, one or a pool
resp           a client of Redis' protocol, no more than is needed here
redis          Redis, Valkey, one or several
lines          what a database tells, a line each
node           a memrep node
archive        a file of memrep's own
transfer       from a source to a target, counted
"""
