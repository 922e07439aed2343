"""Draws the pictures of the page for people that are in docs/: `python -m tests.page_pictures`.

They are of made states, so that they are the same each time, and look as those that are there with Debian's
fonts-inter. optipng makes them small.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import attrs

from memrep.page.document import document
from tests.harness.steps import at_once
from tests.real.browser import Scheme, chromium
from tests.unit.page.hours import busy_hour
from tests.unit.status.clusters import CLUSTERS

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"


@attrs.frozen
class Picture:
    """A picture.

    Attributes:
        state: of CLUSTERS.
        width: of the window,
        height: and how much of the page is shown.
        scheme: light or dark.
    """

    state: str
    width: int
    height: int
    scheme: Scheme


PICTURES: Final = {
    "page.png": Picture("readme", 1200, 1060, "light"),
    "page-dark.png": Picture("three", 1200, 970, "dark"),
    "page-narrow.png": Picture("three", 320, 970, "light"),
}


def draw() -> None:
    """Draw them all."""
    with chromium() as browser:
        for name, picture in PICTURES.items():
            made = at_once(document(CLUSTERS[picture.state][0], busy_hour()))
            page = browser.new_page(
                viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.scheme
            )
            page.set_content(made.body.decode())
            page.screenshot(path=DOCS / name)
            page.close()
    if shutil.which("optipng"):
        subprocess.run(["optipng", "-quiet", "-o5", "-strip", "all", *PICTURES], cwd=DOCS, check=True)


if __name__ == "__main__":
    draw()
