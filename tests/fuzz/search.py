"""One guided search: `python -m tests.fuzz.search KIND [options of libFuzzer's] FOLDER`.

A process of its own, which libFuzzer ends when the time is up or something is found. The parsers are loaded
under atheris' eyes, so that it sees where an input leads.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

import atheris

#: What is under atheris' eyes: the parsers, and what they lead to.
_SEEN: Final = ["memrep.protocol", "memrep.engine", "memrep.php"]

with atheris.instrument_imports(include=_SEEN):
    from tests.fuzz.target import check


def main() -> None:
    """Search."""
    kind, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], partial(check, kind))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
