"""Two generations of PHP: the one of this system, and Debian 13's in a folder of its own (tools/debian13).

What memrep knows of PHP's clients it knows of certain versions, and the next one may do otherwise:
pecl-memcache 8.2, for one, goes on to the next node where 8.0 took a session for new. So every test with PHP
runs with both. `USED` tells which one it is; a test module asks for both with `both_generations`, which leaves
the newer one's share to `make test-long`, and there a test of which that is too little with `always_both`.
"""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs
import pytest

from .processes import CHECKOUT, find_program, missing

TOOL = CHECKOUT / "tools" / "debian13"


@attrs.frozen
class Generation:
    """Where programs come from.

    Attributes:
        name: that of its Debian, for the names of tests.
        php: the version with which Debian calls PHP's programs.
    """

    name: str
    php: str

    def __str__(self) -> str:
        return self.name

    def command(self, name: str) -> list[str]:
        """How this program is called; PHP's bear their version in their names."""
        return self.found(f"{name}{self.php}", name) if name.startswith("php") else self.found(name)

    def found(self, *names: str) -> list[str]:
        """How the first of these programs that is there is called."""
        return [find_program(*names)]

    @property
    def is_there(self) -> bool:
        """Whether there are any programs."""
        return True

    def has(self, path: str) -> bool:
        """Whether this file or directory is there."""
        return Path(path).exists()


class Unpacked(Generation):
    """Programs that see their own Debian, and of this system the network, /tmp and the checkout."""

    def found(self, *names: str) -> list[str]:
        root = _root()
        places = [f"/usr/{part}/{name}" for name in names for part in ("sbin", "bin")]
        found = next((place for place in places if (root / place[1:]).exists()), None)
        return [str(TOOL), "run", found or missing(" or ".join(names))]

    @property
    def is_there(self) -> bool:
        return os.geteuid() == 0 and _place().is_dir()

    def has(self, path: str) -> bool:
        return (_root() / path.removeprefix("/")).exists()


def _root() -> Path:
    """Where it is, if tests may enter it."""
    if not DEBIAN_13.is_there:
        missing("Debian 13 beside this system (tools/debian13 build, as root)")
    return _place()


@cache
def _place() -> Path:
    return Path(subprocess.run([TOOL, "where"], capture_output=True, text=True, check=True).stdout.strip())


INSTALLED = Generation("installed", "8.2")
DEBIAN_13 = Unpacked("debian13", "8.4")


class Used:
    """Which generation a test has to do with."""

    def __init__(self) -> None:
        self.generation: Generation = INSTALLED


USED = Used()


@pytest.fixture(
    params=[
        pytest.param(INSTALLED, id=INSTALLED.name),
        pytest.param(DEBIAN_13, id=DEBIAN_13.name, marks=pytest.mark.long),
    ]
)
def generation(request: pytest.FixtureRequest) -> Iterator[Generation]:
    """The test runs with each of them."""
    before = USED.generation
    USED.generation = request.param
    yield request.param
    USED.generation = before


@pytest.fixture
def debian_13() -> Iterator[None]:
    """The test runs with the newer one only."""
    before = USED.generation
    USED.generation = DEBIAN_13
    yield
    USED.generation = before


both_generations = pytest.mark.usefixtures("generation")
always_both = pytest.mark.parametrize("generation", [INSTALLED, DEBIAN_13], indirect=True, ids=str)
