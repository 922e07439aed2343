"""memcached's dialects, reply for reply. Rule: what only one of them says stays in its own room.

numbers         numbers as memcached reads them
flush_all       the end of everything, as clients ask for it
limits          how long a key may be, and when an exptime ends
errors          what memcached says of a command that it refuses
binary          the binary protocol
kinds           which commands go round the cluster, and which may show much
client          one client, as the functions see it that execute its commands
lookahead       what stands in the input behind the command that is about to be executed
allocator       orders to a memory management that memrep does not have
meta            the meta commands
text            the classic text protocol
"""
