"""Replication, told as stories: each *.txt here says what befalls a few nodes and, below, what came of it.

Problem: a schedule of messages in Python shows that a rule holds; how it holds must be imagined, line by line.
Here every message that arrives and every change of a node's state stands below the command that led to it, in
virtual time, byte for byte the same in each run. The form is that of etcd's raft (testdata/*.txt, `-rewrite`).

A story is comments and blocks. A block is commands, a line `----`, and what came of them up to a blank line:

    # The write is answered when both others have it.
    client 1 set k v
    deliver
    ----
        0  1>2 Frame 1.1 #1: Write 'k'='v' plain
        ...

`make story` writes what comes of it anew, also for a new story that has no `----` yet. Read the difference:
that is how the nodes behave now. What must hold whatever else changes is said by `agree`: no rewriting makes it
true.

Each line begins with the virtual ms since all nodes served. Messages and states are spelled as in the
simulator's trace (docs/debugging.md). What is repeated all the time is told once (narrator.py).

Nothing arrives by itself: `deliver` lets it, and `wait` at each tick. A way is 1>2, from node 1 to node 2. A
client is 1, which is that of node 1; 1a and 1b are two more of them, and 1@web comes from another host.

    start N... [of COUNT] [majority]    these nodes start, and serve; the first command of a scene
    restart N                           a process that was killed starts again, or one that never ran
    kill N                              a process ends; the others see it, be they cut off or not
    freeze N, thaw N                    a process is stopped (SIGSTOP), and goes on
    leave N                             a process is told to stop (SIGTERM)
    clock N MS                          a node's wall clock is so far ahead
    ask N                               a node asks for a new view
    client C COMMAND                    a client sends a command; for set, add, ... just key and value
    hang up C                           it closes its connection
    hold WAY...                         what is said on these ways waits, until
    release [WAY...]                    it arrives, and what follows from it
    cut A B|C D, cut WAY                nothing gets through between these nodes, or on this way, until
    heal                                all cuts end; what was said on them is lost
    lose WAY                            what is on this way never arrives
    redial WAY                          a node opens a new link, and what is on the old one is late, until
    late WAY                            it arrives
    deliver                             all arrives that is not held, and what follows from it
    deliver WAY...                      what is on these ways arrives, one after the other, and nothing else
    tick N... MS                        so much later these nodes have their turn by the clock; nothing arrives
    later MS                            time passes, and nobody has a turn
    wait MS                             time passes, all have their turns, and all arrives that is not held
    quietly COMMAND...                  the same without its messages; the states are told at the end
    tell heartbeats|nothing             heartbeats are told, too, where they say something new; or not any more
    show N...                           what a node has: its view, the frames others lack of it, its entries
    keys K...                           who has which value
    agree K...                          all ways are open, time passes; all must serve and have the same

A version is generation:+ms@node, the ms since all nodes served when it was stamped.

script      the form of a story: reading, replaying, comparing
stage       the commands, on a cluster without a network
narrator    the lines that tell what came of them
"""
