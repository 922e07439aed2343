"""`make demo`: start everything, say where to look, and end with Ctrl-C.

The page's socket is made first, and taken along into namespaces of the demonstration's own: it stays in the
network in which it was made, so the page is reached there, and nothing else is.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

import click
import pytest

from bench.demo.desk import Desk
from bench.demo.servers import Stage
from bench.demo.visitor import Visitor
from tests.faults.network import enter, forbidden, inside
from tests.real.processes import HOST

_SOCKET: Final = "MEMREP_DEMO_SOCKET"


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0 for a free one."
)
def main(port: int) -> None:
    """Show a visit counter that goes on while its servers are killed, frozen and cut off, on one page."""
    if not inside():
        why = forbidden()
        if why is not None:
            raise click.ClickException(
                f"this machine allows no network namespaces ({why}); as root, or with "
                "kernel.unprivileged_userns_clone=1, it does"
            )
        os.environ[_SOCKET] = str(_listen(port))
        enter(sys.argv[1:], "bench.demo")
    enter((), "bench.demo")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with socket.socket(fileno=int(os.environ.pop(_SOCKET))) as listener:
        try:
            _show(listener)
        except KeyboardInterrupt:
            click.echo()
        except pytest.skip.Exception as missing:
            raise click.ClickException(f"{missing}; `make packages` installs it") from None


def _listen(port: int) -> int:
    """Return the descriptor of a socket that listens on loopback, and lives on in other programs."""
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise click.ClickException(f"{HOST}:{port}: {error.strerror}; give another --port") from None
    listener.set_inheritable(True)
    return listener.detach()


def _show(listener: socket.socket) -> None:
    """Start the servers, the sites and the visitors, and serve the page until interrupted."""
    click.echo("starting three memreps, three memcacheds, two sites of three web servers ...")
    ended = threading.Event()
    with tempfile.TemporaryDirectory(prefix="memrep-demo-") as directory, Stage(Path(directory)) as stage:
        visitors = {
            name: Visitor(f"http://{HOST}:{site.balancer}/", ended) for name, site in stage.sites.items()
        }
        threads = [threading.Thread(target=visitor.run, daemon=True) for visitor in visitors.values()]
        for thread in threads:
            thread.start()
        desk = Desk(listener, stage, visitors)
        click.echo(f"\n    {desk.origin}/\n\nCtrl-C ends it, and all that runs for it.")
        sys.stdout.flush()
        try:
            desk.serve_forever()
        finally:
            ended.set()


if __name__ == "__main__":
    main()
