"""What a start of `memrep serve` would have, for `memrep config` where no node runs to tell its own."""

from __future__ import annotations

from memrep.cli.given import checked, with_changeable
from memrep.cli.serve import read_anew
from memrep.daemon.config_desk import look_ahead, told_options
from memrep.daemon.origins import Given
from memrep.daemon.reload import Source
from memrep.status.config_facts import ConfigStatus


def start_of(config: str | None) -> ConfigStatus:
    """Return the options that a start would have now.

    Args:
        config: the path of the config file; None if there is none.
    """
    arguments = ("--config", config) if config else ()
    restart = look_ahead(Source(Given(), lambda: read_anew(arguments), with_changeable, checked))
    given, options = restart.given, restart.options
    return ConfigStatus(
        node="" if options is None else str(options.me),
        running=False,
        file=config or "",
        options=[] if given is None else told_options(given, options),
        refused=restart.refused,
    )
