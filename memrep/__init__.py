"""memrep: web sessions that survive the loss of any node. It speaks memcached's protocol.

The rooms, from the ground up. Who stands in one line may import what stands in a line above it, and never what
stands below or beside it (tests/test_architecture.py reads this map):

    events                          what the log may be told
    errors log_limit flow_control   whose fault it is; what is logged once; how much may be on its way
    storage                         what one node holds; knows no peer, protocol or client
    addresses                       the list of nodes as the operator writes it
    engine replication              what commands mean | how nodes stay the same; neither knows the other
    protocol                        bytes of clients in, bytes out
    php handlers                    what PHP's session handlers mean by their commands | how they keep sessions
    status                          what an operator is told of a cluster, in words and in figures
    node page                       a whole memrep without I/O | what an operator is told, as a page
    disk                            a copy of what a node holds, behind its writes
    daemon                          sockets, clocks, signals; the only room with trio
    doctor move                     what would hinder a node, before it starts | sessions on their way
    cli                             the command line
    __main__                        `python -m memrep`
"""

from typing import Final

__version__: Final = "0.1.0"
