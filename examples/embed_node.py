"""A whole memrep inside of another program, without any socket: bytes in, bytes out.

The program owns the time. It begins each turn by telling it, hands over what a client has sent, ends the turn,
and sends what comes out: to clients whose answers had to wait, and to peers, if there are any (node/node.py).
"""

from __future__ import annotations

import os
import time

from memrep.node.node import Node
from memrep.node.options import NodeOptions
from memrep.node.shell import Shell, Start


def main() -> None:
    """Store a session and read it again."""
    node = Node(
        NodeOptions(memory=16 << 20),
        Start(inc=1, now=time.monotonic_ns() // 1_000_000, wall=time.time_ns() // 1_000_000),
        Shell(random_bytes=os.urandom),
    )
    client = node.clients.connect()
    for said in (b"set session 0 60 5\r\nhello\r\n", b"get session\r\n"):
        node.turn(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)
        print(node.clients.receive(client, said).decode(), end="")
        assert not list(node.end_turn()), "it has no peers, and nothing had to wait"


if __name__ == "__main__":
    main()
