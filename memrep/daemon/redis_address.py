"""Where clients of Redis' protocol come in, and where they are told to find this node, as the operator says."""

from __future__ import annotations

from typing import Final

from memrep.addresses import Address, plain_host
from memrep.daemon.local_address import check_listen
from memrep.errors import UsageError

_PORT_MAX: Final = 65_535


def parse_redis_port(said: str, listen: str, taken: tuple[int, ...]) -> tuple[str, int]:
    """Return the address and port for Redis' clients (`--redis`); port 0 if there is none.

    Args:
        said: what was given.
        listen: the address for all clients.
        taken: ports that this node has another use for.

    Raises:
        UsageError: it is no port, or one that is taken.
    """
    if not said:
        return "", 0
    host, _, digits = said.rpartition(":")
    if not _is_port(digits):
        raise UsageError(f"--redis {said} is no port; write --redis 6379 or --redis 10.1.1.1:6379")
    if int(digits) in taken:
        raise UsageError(f"--redis {said}: this node has another use for that port; give one of its own")
    return (check_listen(host.strip("[]"), listen) if host else listen), int(digits)


def parse_redis_announce(said: str, port: int) -> Address | None:
    """Return where Redis' clients are told to find this node (`--redis-announce`); None if nothing was said.

    Args:
        said: what was given: HOST, HOST:PORT or [HOST]:PORT, HOST an address or a name.
        port: where they come in, which stands for one that is not given.

    Raises:
        UsageError: it is none, or no such client comes in.
    """
    if not said:
        return None
    if not port:
        raise UsageError("--redis-announce needs --redis; give the port, too, or leave both out")
    host, colon, digits = said, "", ""
    if said.count(":") == 1 or "]:" in said:
        host, colon, digits = said.rpartition(":")
    if not host.strip("[]") or (colon and not _is_port(digits)) or any(mark in host for mark in " /,"):
        raise UsageError(f"--redis-announce {said} is no HOST[:PORT]; write 10.1.1.1 or web1.example.org:6379")
    return Address(plain_host(host.strip("[]")), int(digits) if colon else port)


def _is_port(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and 1 <= int(digits) <= _PORT_MAX
