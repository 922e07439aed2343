"""Names: which addresses the hosts in --nodes stand for on this machine.

Each server may be told something else: by its own /etc/hosts, by a resolver that answers some and not others.
What is told here is there to be compared with what the same command tells on the other servers.
"""

from __future__ import annotations

from collections.abc import Iterator

from memrep.addresses import Address, plain_host
from memrep.daemon.guard import in_words
from memrep.daemon.local_address import is_own
from memrep.daemon.names import is_loopback, look_up
from memrep.doctor.finding import Finding


def names(nodes: list[Address], me: Address) -> Iterator[Finding]:
    """Look each host up, and tell what it stands for.

    Args:
        nodes: all of them.
        me: this one.
    """
    hosts = list(dict.fromkeys(node.host for node in nodes))
    alone = all(map(is_own, hosts))  # a trial on one machine
    for host in hosts:
        whose = "this node" if host == me.host else "another node"
        try:
            found = list(dict.fromkeys(plain_host(endpoint.host) for endpoint in look_up(host)))
        except (OSError, UnicodeError) as error:
            yield Finding(
                "names",
                "wrong",
                f"{host} ({whose}) stands for no address here: {in_words(error)}",
                "correct /etc/hosts or DNS on this machine, or write addresses into `nodes`",
            )
            continue
        here = [address for address in found if is_loopback(address)]
        if here and not alone:
            yield Finding(
                "names",
                "wrong",
                f"{host} ({whose}) stands for {here[0]} here, where no other server finds it",
                "take it out of that line of /etc/hosts, so that it means the address that the others know",
            )
        elif found == [host]:
            yield Finding("names", "ok", f"{host} is {whose}")
        else:
            yield Finding("names", "ok", f"{host} is {whose}, and stands for {', '.join(found)}")
