"""redis-py's source distributions, with its tests: fetched from the package index when they are needed.

They go to a folder outside of this checkout, each version once. Nothing of them is kept here. pytest-asyncio,
which some of the tests want, is put beside them, lest it meet the tests of this project.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .processes import missing

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "memrep"


def source(version: str) -> Path:
    """Return the folder of this version, which has `redis` and `tests` in it."""
    folder = CACHE / f"redis-py-{version}"
    if not folder.is_dir():
        with _new_folder() as new:
            _pip("download", "--no-binary", "redis", "--no-deps", "--dest", new, f"redis=={version}")
            (archive,) = Path(new).glob("redis-*.tar.gz")
            with tarfile.open(archive) as packed:
                packed.extractall(new, filter="data")
            _settle(Path(new, f"redis-{version}"), folder)
    return folder


def plugins() -> Path:
    """Return the folder that pytest-asyncio is in."""
    folder = CACHE / "pytest-asyncio"
    if not folder.is_dir():
        with _new_folder() as new:
            _pip("install", "--no-deps", "--target", f"{new}/plugins", "pytest-asyncio>=1,<2")
            _settle(Path(new, "plugins"), folder)
    return folder


def _new_folder() -> tempfile.TemporaryDirectory[str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=CACHE)


def _pip(*arguments: str) -> None:
    quiet: Sequence[str] = ["--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, *quiet],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        missing(f"what `pip {' '.join(arguments)}` fetches ({done.stderr.strip()[-200:]})")


def _settle(new: Path, folder: Path) -> None:
    """Put a folder where it belongs, unless another test has been quicker."""
    try:
        new.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
