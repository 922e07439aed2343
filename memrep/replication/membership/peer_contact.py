"""Contact with a peer: when it was heard, by which way, and whether it hears this node.

Problem: "heard" has two meanings that must not be mixed up. To judge whether a peer is silent, this node starts
the clock anew when it has no right to call anybody silent: after it was stopped itself, and when a view begins.
To judge whether a peer that was missed speaks again (rule N3), only what it has really said counts (finding
39). So `heard` may be set without a word, `spoke` only by one.

Each direction of the direct way counts by itself, for a cable or a firewall may stop one of them (finding 9):
`heard_directly` is theirs to us, `heard_us` is ours to them, as they say. Where one of the two fails a peer may
be reached over a third node (relay.py).
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class PeerContact:
    """When and how a peer was heard.

    Attributes:
        heard: when something last came from it on whatever way, own monotonic ms; or when it began to count as
            heard, for this node had been stopped, or a view with it began.
        spoke: when something last did come from it.
        returned: when it was last heard after it had been silent, own monotonic ms.
        heard_directly: when something last came on its own link to us.
        heard_us: when it last said that our own link to it works.
        had_direct: whether it has ever said so.
        via: the node over which it is reached; 0 if directly (relay.py).
    """

    heard: int = 0
    spoke: int = 0
    returned: int = 0
    heard_directly: int = 0
    heard_us: int = 0
    had_direct: bool = False
    via: int = 0

    def restarted(self) -> None:
        """Begin anew with another process of it: it is not known yet whether links to that one work."""
        self.had_direct = False
        self.via = 0

    def spoken(self, now: int, silence: int) -> None:
        """Note that something came from it on whatever way; after so long a silence (ms) it has returned."""
        # Finding 36: asked for when a view begins that was formed while it was silent.
        if now - self.spoke >= silence:
            self.returned = now
        self.heard = self.spoke = now

    def spoke_directly(self, now: int) -> None:
        """Note that something came on its own link."""
        self.heard_directly = now

    def hears_our_link(self, now: int) -> None:
        """Note that it has just said that our own link to it works."""
        self.heard_us = now

    def counts_as_heard(self, now: int, *, both_ways: bool = False) -> None:
        """Count it as heard anyway: a view with it begins, or this node was stopped and knows of no silence."""
        self.heard = now
        if both_ways:
            self.heard_directly = self.heard_us = now

    def had_direct_way(self) -> None:
        """Note that our own link to it has worked: from now on it is not young, and its failure is one."""
        self.had_direct = True

    def reach_over(self, node: int) -> None:
        """Reach it over this node; 0 for its own link."""
        self.via = node
