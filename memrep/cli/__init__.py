"""The command line. Rule: a command loads what it needs when it is called, so that asking a node costs no node.

values       kinds of values that options have, beside click's own
config_file  the TOML file
given        what `memrep serve` was given, checked
serve        `memrep serve`: runs a node
asking       whom to ask about a cluster, and how
listing      what a node tells, as a table or as it is
status       `memrep status`: shows it, or waits for it
top          `memrep top`: all of that on one screen
clients      `memrep clients`: who asks how much
doctor       `memrep doctor`: what would hinder a node before it starts
sessions     `memrep sessions`: finds, shows, ends sessions
moving       what the next two have in common
taking_in    `memrep import`: takes in the sessions of what keeps them today
dump         `memrep dump`, `memrep restore`: everything, into a file and back
slow         `memrep slow`: which commands waited for long, and for what
locks        `memrep locks`: which sessions are locked
drain        `memrep drain`, `memrep resume`: take a node out of service, and let it in again
reload       `memrep reload`: options are read anew
start        what a start would have
config       `memrep config`: options as they are, and what a restart would make of them
log          `memrep log`: what a node logs
check        `memrep check`: tells a monitoring system
man_page     the same helps as man pages
main         the commands in a group, and what mistakes are answered with
"""

from memrep.cli.main import main

__all__ = ["main"]
