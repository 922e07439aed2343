"""Redis' protocol (RESP2, RESP3) as redis-server 7.0 speaks it. Rule: a handler touches nothing; it plans.

parser        commands out of bytes
spelling      replies, in both versions
arguments     what stands behind a command's name
glob          patterns over names
databases     the sixteen databases, as namespaces of the one store
topology      where the serving nodes are, and which of them is called the master
subscriptions  who has subscribed to what, and what has not been sent yet
plan          what a command is going to do, before it is done
server        what all clients of a node share
client        what one client has chosen, and the steps of its plans
command       a command as a row in a table
strings       GET SET and what is made of them
numbers       INCR and its like
keys          commands on keys, whatever is stored under them
scan_index    where the keys of a scan are
keyspace      commands on all keys
scripts       EVAL, by meaning
transaction   what one client has said since MULTI
transactions  MULTI, EXEC, WATCH
handshake     what clients say of themselves
information   what the server tells of itself
pubsub        SUBSCRIBE and PUBLISH among this node's clients
sentinel      every node as a sentinel
cluster       the serving nodes as a cluster
absent        Redis' commands that memrep has not, and how they are refused
table         all commands by their names
execution     the command of one client that is running
dialect       one client: its commands one after another
"""
