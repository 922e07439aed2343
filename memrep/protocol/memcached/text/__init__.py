"""The classic text protocol (protocol.txt). Rule: one line in, one reply out, in this order.

data_block  where a data block ends
outcomes    how outcomes are spelled
retrieval   gets of many keys
commands    all commands of a line
auth        what a client may say before it has shown a password
"""
