"""The classic text protocol (protocol.txt). Rule: one line in, one reply out, in this order.

data_block      how long a data block may be, and where it ends
outcomes        how outcomes and entries are spelled
multi_get       gets of many keys
client          one client, as its commands see it
retrieval       get gets gat gats
storage         set add replace append prepend cas
in_place        incr decr touch delete flush_all
meta            the meta commands as lines
administration  stats, version, verbosity, cache_memlimit, shutdown, quit
commands        lines, and which function executes which verb
auth            what a client may say before it has shown a password
"""
