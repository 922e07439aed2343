"""Disk: a copy of what a node holds, behind its writes. Rule: nobody waits for it, and it ends no node.

The loop hands over once a second what has changed (node/feed.py), and a thread of its own saves that in one
transaction. What is saved is read when a node starts; what it is worth then is decided by replication.

directory  a place that is this node's alone
file       what is saved: the format, and how it is read and written
writer     the thread that writes
saver      what is handed to it, and when; what is made of its troubles
copy       all of it, as a process has it
"""
