"""What lies between a client and its nodes: distance, and connections that break at the worst moment.

On loopback all copies of a write arrive within a fraction of a millisecond, and what goes wrong in between
hardly ever shows. A `Forwarder` has a port for each node and stands there as a network does.
"""

from __future__ import annotations

import queue
import random
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Self

import trio

from .processes import HOST

READ_MAX = 65536
PACKETS_APART_S = 0.01
LOOKS_APART_S = 0.02


class Way:
    """One connection on its way through a forwarder, which as such changes nothing."""

    async def ask(self, data: bytes, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Pass on to the node what the client has sent."""
        await send(data)

    def broken_by(self, answer: bytes) -> bool:
        """Whether the connection breaks when this has been passed on to the client."""
        return False


class Forwarder:
    """A port for each of these nodes, to go to instead; it refuses while the node does.

    Attributes:
        ports: in the order of the nodes.
    """

    def __init__(self, nodes: Sequence[int], way: Callable[[], Way] = Way) -> None:
        self._nodes = nodes
        self._way = way
        self._started: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
        self._end: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=trio.run, args=(self._run,), daemon=True)
        self.ports: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self.ports = self._started.get(timeout=10)
        return self

    def __exit__(self, *_failure: object) -> None:
        self._end()
        self._thread.join()

    async def _run(self) -> None:
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            self._end = partial(token.run_sync_soon, nursery.cancel_scope.cancel)
            ports = []
            for node in self._nodes:
                ports.append(await nursery.start(self._stand_for, node, nursery))
            self._started.put(ports)

    async def _stand_for(
        self, node: int, connections: trio.Nursery, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Accept clients for a node as long as it does; that it does not shows when it refuses one of them."""
        with _bound(0) as place:  # keeps the port while nobody listens there
            port: int = place.getsockname()[1]
            while True:
                refused = trio.Event()
                listening = trio.socket.from_stdlib_socket(_bound(port))
                listening.listen()
                task_status.started(port)
                task_status = trio.TASK_STATUS_IGNORED
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(
                        partial(
                            trio.serve_listeners,
                            partial(self._carry, node, refused),
                            [trio.SocketListener(listening)],
                            handler_nursery=connections,
                        )
                    )
                    await refused.wait()
                    nursery.cancel_scope.cancel()
                while not await _is_there(node):
                    await trio.sleep(LOOKS_APART_S)

    async def _carry(self, node_port: int, refused: trio.Event, client: trio.SocketStream) -> None:
        """One client's connection; it ends at both sides when it ends at one."""
        try:
            node = await trio.open_tcp_stream(HOST, node_port)
        except OSError:
            refused.set()
            return
        way = self._way()
        async with node, trio.open_nursery() as nursery:

            async def ask() -> None:
                while data := await client.receive_some(READ_MAX):
                    await way.ask(data, node.send_all)

            async def answer() -> None:
                while data := await node.receive_some(READ_MAX):
                    await client.send_all(data)
                    if way.broken_by(data):
                        return

            async def until_it_ends(passing: Callable[[], Awaitable[None]]) -> None:
                with suppress(trio.BrokenResourceError):
                    await passing()
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_it_ends, ask)
            nursery.start_soon(until_it_ends, answer)


def _bound(port: int) -> socket.socket:
    """A socket at this port, 0 for any, where others of ours may be, too."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((HOST, port))
    return sock


async def _is_there(node: int) -> bool:
    try:
        stream = await trio.open_tcp_stream(HOST, node)
    except OSError:
        return False
    await stream.aclose()
    return True


class Late(Way):
    """What the client sends arrives up to `delay_ms` later."""

    def __init__(self, delay_ms: float, chance: random.Random) -> None:
        self._delay_ms = delay_ms
        self._chance = chance

    async def ask(self, data: bytes, send: Callable[[bytes], Awaitable[None]]) -> None:
        await trio.sleep(self._chance.random() * self._delay_ms / 1000)
        await send(data)


class Held(Way):
    """What the client sends arrives when `arrive` is set."""

    def __init__(self, arrive: threading.Event) -> None:
        self._arrive = arrive

    async def ask(self, data: bytes, send: Callable[[bytes], Awaitable[None]]) -> None:
        await trio.to_thread.run_sync(self._arrive.wait, abandon_on_cancel=True)
        await send(data)


class BrokenSet(Way):
    """It breaks at the first binary SET of all, which does not arrive, as long as there is one in `left`."""

    def __init__(self, left: list[int]) -> None:
        self._left = left

    async def ask(self, data: bytes, send: Callable[[bytes], Awaitable[None]]) -> None:
        if data.startswith(b"\x80\x01") and self._left:
            self._left.pop()
            raise trio.BrokenResourceError
        await send(data)


class BrokenOff(Way):
    """It breaks after a session's lock has been granted, unless the session itself comes in the same piece.

    pecl-memcache asks for both in one breath, but the first of its three commands has a packet of its own,
    which may arrive earlier than the rest.
    """

    def __init__(self) -> None:
        self._starting = False

    async def ask(self, data: bytes, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._starting = b"incr " in data or (self._starting and b"set " not in data)
        first, add, rest = data.partition(b"add ")
        await send(first)
        if add:
            await trio.sleep(PACKETS_APART_S)
            await send(add + rest)

    def broken_by(self, answer: bytes) -> bool:
        granted = answer.startswith(b"1\r\n") or b"\r\nSTORED" in b"\r\n" + answer
        return self._starting and granted and not answer.endswith(b"END\r\n")
