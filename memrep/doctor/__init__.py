"""What is looked at before a node starts: everything on this machine and on the way that could stop it.

Theory: a node that cannot start says the first thing that is wrong, and one that starts alone says nothing that
an operator could not have known before: a name that stands for another address here, a port that a firewall
drops, a list that lacks a node. So all of it is looked at in the way the node would use it, by the node's own
rooms, and told at once with what to do.

Rule: nothing is changed, and no other node takes this for one that has come.

finding      what was found, and how bad that is
machine      descriptors, memory, clock
disk         whether the data directory can be written, and has room
names        which addresses the hosts in --nodes stand for here
ports        whether the node's own ports can be had
outward      whether the others' ports answer this machine
inward       whether the others call, and would be let in
examination  all of it, in the order in which one thing is the cause of the next
"""
