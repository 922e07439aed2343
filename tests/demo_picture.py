"""Records what `make demo` shows, for docs/demo.png: `python -m tests.demo_picture`.

One server after the other is struck as its buttons do it, so what the pictures show has happened just so.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.real.browser import chromium, opened
from tests.real.processes import CHECKOUT, pause
from tests.real.test_demo import demonstration

_PICTURE: Final = CHECKOUT / "docs" / "demo.png"

#: What is done to which server, for how long, s; and how long all run before that and behind it.
_STRUCK: Final = (("cut-off", 2, 6), ("killed", 1, 5), ("frozen", 0, 4), ("killed", 2, 4))
_CALM_S: Final = 5


def record() -> None:
    """Let it happen, and take the picture while the last one is down."""
    with (
        tempfile.TemporaryDirectory() as directory,
        demonstration(Path(directory)) as demo,
        chromium() as browser,
        opened(browser, demo.origin, 1100) as page,
    ):
        page.check("#beside")
        pause(_CALM_S)
        for what, server, seconds in _STRUCK:
            demo.order(f"/do/{what}/{server}")
            pause(seconds)
            if (what, server, seconds) != _STRUCK[-1]:
                demo.order(f"/do/back/{server}")
                pause(_CALM_S)
        page.set_viewport_size({"width": 1100, "height": 940})
        page.screenshot(path=_PICTURE)
    if shutil.which("optipng"):
        subprocess.run(["optipng", "-quiet", "-o5", "-strip", "all", _PICTURE], check=True)


if __name__ == "__main__":
    record()
