"""The node: a whole memrep without I/O. Rule: time and chance are handed in, bytes come and go by calls.

options      what a node has to be told
shell        SEAM: what it is given by who drives it
build        the wiring: which policy clients meet
redis_nodes  where Redis clients find the nodes that serve
host_gate    which client hosts may be served while this node may have been left behind
staleness    whether it may have been, held against connections and the replica
serving      whether clients are let in at all
slow_commands  the last of those that waited for long
clients      who is answered now, who has to wait, and who is hung up on
stats        the groups of `stats`
pace         how much has happened lately
history      the last hour, in samples
feed         what has changed since it was saved last
sameness     whether other nodes hold the same entries
problem_log  what lasts of what is wrong, in the log
status       a cluster as this node sees it
node         turns, clients and peers
"""
