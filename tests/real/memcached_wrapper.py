"""memcached's command line for `memrep serve`, so that memcached's own perl tests start it.

They know `memcached-debug` by its options. What says nothing to memrep is passed over; one that listens on a
unix socket only gets a port that is free.
"""

import os
import socket
import sys

#: What `-h` must tell: perl looks for the words in it to learn what can be tested.
_HELP = "memcached 1.6.18\n-s, --unix-socket=<file>\n"

#: memcached's options with a value that mean nothing here.
_PASSED_OVER = frozenset(["-U", "-u", "-o", "-t", "-f", "-n"])

#: Those that mean the same.
_KEPT = frozenset(["-I", "-m", "-c", "-p", "-l"])


def translated(arguments: list[str]) -> list[str]:
    """What `memrep serve` is to be told."""
    words = iter(arguments)
    options: list[str] = []
    for word in words:
        if word in _PASSED_OVER:
            next(words)
        elif word == "-s":
            options += ["--unix", next(words)]
        elif word in _KEPT:
            options += [word, next(words)]
        elif word in ("-F", "-X", "-W"):
            options.append(word)
        else:
            raise SystemExit(f"{word} is not known here")
    return options if "-p" in options else [*options, "-p", str(_free_port())]


def _free_port() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= 55_535:
            return port


if __name__ == "__main__":
    if sys.argv[1:] == ["-h"]:
        print(_HELP)
    else:
        command = [sys.executable, "-m", "memrep", "serve", *translated(sys.argv[1:])]
        os.execv(command[0], command)
