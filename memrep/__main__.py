"""`python -m memrep` is the command `memrep`."""

from memrep.cli import main

main()
