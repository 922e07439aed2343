"""Three nodes in one terminal, to try memrep out: `make run`.

The nodes are ordinary `memrep serve` processes; killing one of them is meant to be tried. Ctrl-C ends them all.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import click

from memrep.addresses import parse_nodes
from memrep.errors import UsageError

_POLL_S = 0.1


@click.command()
@click.argument("nodes")
def main(nodes: str) -> None:
    """Run one node for each address of NODES until Ctrl-C."""
    try:
        addresses = parse_nodes(nodes)
    except UsageError as error:
        raise click.ClickException(str(error)) from None
    command = [sys.executable, "-m", "memrep", "serve", "--nodes", nodes, "--self"]
    # A session of its own for each: Ctrl-C reaches this process only, which then stops them in order.
    processes = {
        address: subprocess.Popen([*command, str(address)], start_new_session=True) for address in addresses
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    first, second, *_ = addresses
    try:
        time.sleep(1)  # for people: let the nodes' first lines come before the advice
        if all(process.poll() == 2 for process in processes.values()):
            sys.exit(2)
        click.echo(
            f"""
Three nodes run here. In another terminal:

    printf 'set cart 0 0 5\\r\\nbooks\\r\\nquit\\r\\n' | nc {first.host} {first.port}   write to the first node
    kill -9 {processes[first].pid}                                                   kill it
    printf 'get cart\\r\\nquit\\r\\n' | nc {second.host} {second.port}                     the second one has it
    .venv/bin/memrep status                                       and knows who is down, and what to do
    .venv/bin/memrep serve --nodes "{nodes}" --self {first}
                                                                     bring it back: it fetches everything first

With PHP (php-memcache): session.save_handler=memcache, memcache.session_redundancy=3, and
    session.save_path="{nodes}"

Ctrl-C stops them.
"""
        )
        while any(process.poll() is None for process in processes.values()):
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        click.echo()
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


if __name__ == "__main__":
    main()
