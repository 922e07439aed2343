"""The constants of membership, and the inequalities between them that the rules rest on."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Timing:
    """The constants of membership, ms. They scale together with the failure timeout.

    The inequalities that they have to keep are argued in docs/replication.md: lease + tick < silence,
    2 x beat + a round trip < lease, 2 x round trip < propose, fence < lease, 2 x beat < relay,
    relay + 2 x beat < silence.
    """

    silence: int = 600
    fence: int = 250
    relay: int = 250
    lease: int = 400
    beat: int = 100
    propose: int = 150
    promise: int = 300
    ignore: int = 1_000
    chunk: int = 500
    cold_start: int = 10_000
    hold: int = 750
    refuse: int = 1_000
    knock: int = 600
    redial: int = 100

    @classmethod
    def scaled(cls, failure_timeout_ms: int, cold_start_ms: int = 10_000) -> Timing:
        """Return the constants for another failure timeout."""

        def scale(ms: int) -> int:
            return max(1, ms * failure_timeout_ms // 600)

        return cls(
            silence=failure_timeout_ms,
            fence=scale(250),
            relay=scale(250),
            lease=scale(400),
            beat=scale(100),
            propose=scale(150),
            promise=scale(300),
            ignore=scale(1_000),
            chunk=scale(500),
            hold=scale(750),
            refuse=scale(1_000),
            knock=min(scale(600), 600),  # whatever the nodes' patience, PHP's is a second
            redial=min(scale(100), 100),
            cold_start=cold_start_ms,
        )
