"""What was given to a node, by option, with where each came from: the command line, the environment, the file.

Problem: an option can stand in three places, of which the first counts, and who has changed the wrong one sees
nothing come of it. So what is given keeps its origin as long as it is kept itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

COMMAND_LINE: Final = "command line"
ENVIRONMENT: Final = "environment"
FILE: Final = "file"
DEFAULT: Final = "default"


@attrs.frozen
class Given(Mapping[str, object]):
    """A value for each option, by its name in the config file.

    Attributes:
        values_given: as they were.
        origins: where they came from, each one of the above.
        file: the path of the config file; "" if there is none.
    """

    values_given: Mapping[str, object] = attrs.Factory(dict)
    origins: Mapping[str, str] = attrs.Factory(dict)
    file: str = ""

    def __getitem__(self, name: str) -> object:
        """Return the value of an option."""
        return self.values_given[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all options."""
        return iter(self.values_given)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.values_given)
