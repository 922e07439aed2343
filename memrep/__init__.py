"""memrep: web sessions that survive the loss of any node. It speaks memcached's protocol.

The code reads from the ground up. Arrows between floors point down only (tests/test_architecture.py):

    version entry locks habits said nodes stats errors complaints ceiling
                                        values; they import no more than attrs and msgspec
    table digest store flow inflight copies decisions committer ticket room
                                        state of one node, told the time, and what commands make of it
    engine | replication                what commands mean | how nodes stay the same; neither knows the other
    php users                           what PHP's session handlers mean by their commands; who may come in
    protocol                            how clients spell commands
    options knocks lookout links report door node
                                        all of it joined: a whole memrep without I/O
    daemon                              sockets, clocks, signals; the only floor with trio
    cli                                 options
"""

from typing import Final

__version__: Final = "0.1.0"
