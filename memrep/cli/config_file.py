"""The TOML file that options may stand in; a mistake in it is the operator's, and told in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from memrep.daemon.files import read_file
from memrep.errors import UsageError


def read_config(path: str) -> dict[str, Any]:
    """Return what stands in this file.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(read_file(Path(path)).decode())
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}; give a file that memrep may read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path} is no valid TOML: {error}") from None
