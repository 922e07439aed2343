"""Elements and text of HTML and SVG. Rule: what is no `Html` is escaped, wherever it is put.

A library for templates would cost a node several megabytes and a tenth of a second, for one page. What it would
give is this: a type for what is markup already, so that a text which came from elsewhere cannot become any.
"""

from __future__ import annotations

from functools import cache


class Html(str):
    """What is markup already."""

    __slots__ = ()


#: What an attribute may be; None leaves it out.
Attribute = str | int | None


def text(words: str) -> Html:
    """Make text of words. What cannot be printed, or turns the direction of writing, is a question mark."""
    return Html(_markup(words))


def join(*parts: str) -> Html:
    """Put parts one behind the other."""
    return Html("".join([_markup(part) for part in parts]))


def element(name: str, /, *children: str, **attributes: Attribute) -> Html:
    """Make an element.

    Args:
        name: what it is; of code, not of somebody else.
        children: what is in it.
        attributes: a name may end in "_", where Python has the word for itself, and has "_" for "-".
    """
    inside = "".join([_markup(child) for child in children])
    return Html(f"<{name}{_spelled(attributes)}>{inside}</{name}>")


def void(name: str, /, **attributes: Attribute) -> Html:
    """Make an element of a kind in which nothing can be."""
    return Html(f"<{name}{_spelled(attributes)}>")


def _markup(words: str) -> str:
    # Most texts are of letters alone; and one replacement after the other is faster than a table of all.
    if isinstance(words, Html) or words.isalnum():
        return words
    if not words.isprintable():
        words = "".join([each if each.isprintable() else "?" for each in words])
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace('"', "&quot;").replace("'", "&#39;")


def _spelled(attributes: dict[str, Attribute]) -> str:
    return "".join(
        [
            f' {_attribute(name)}="{_markup(str(value))}"'
            for name, value in attributes.items()
            if value is not None
        ]
    )


@cache
def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")
