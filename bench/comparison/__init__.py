"""What users notice while a server fails, with memrep and with what else people run: `make compare`.

The problem: that memrep loses nothing where others do is easily said. So the same PHP pages run over each
set-up, on one machine, in one hour, while the same is done to one of its three servers, and each page is held
against what was acknowledged to it.

The rule: each set-up has the best settings that are known for it, and none is told of a fault (they are in
docs/comparison.md, with their reasons). Judged is what comes out of PHP alone, with the same eyes for all.

Reading order: `pages` (what counts as lost, stale and failed), `servers` and `sentinel` (what runs on the three
servers), `setups` (and what PHP is told of it), `stories` (what is done to a server, and when), `table` and
`picture` (what is shown), `__main__` (the command).
"""
