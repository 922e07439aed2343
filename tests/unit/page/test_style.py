"""The style: whoever sees little can read it, in the light and in the dark."""

from __future__ import annotations

import re

import pytest

from memrep.page.style import STYLE

LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#\w+)", part)) for part in STYLE.split("@media (prefers", 1))


def _light(colour: str) -> float:
    """How light a colour is (WCAG 2, relative luminance)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_differ_enough_from_what_is_behind_them(colours: dict[str, str]) -> None:
    for behind in ("paper", "card", "warning-soft", "critical-soft"):
        assert _contrast(colours["ink"], colours[behind]) >= 7, behind
    for behind in ("paper", "card"):
        assert _contrast(colours["quiet"], colours[behind]) >= 4.5, behind
        for line in ("well", "busy", "warning", "critical", "detour", "plot"):
            assert _contrast(colours[line], colours[behind]) >= 3, (line, behind)


def test_both_schemes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) == LIGHT.keys()


def test_the_style_fetches_nothing() -> None:
    assert not re.search(r"url\(|@import|@font-face|</", STYLE)
