"""A page as somebody hears it who cannot see it: headings, texts, tables, and what drawings say of themselves.

It is held to what browsers mend in silence: each element is closed, in order, and no identifier comes twice.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

_VOID: Final = {"meta", "link", "wbr"}
_SILENT: Final = {"style", "title"}
_BLOCKS: Final = {"h1", "h2", "p", "li", "caption", "figcaption", "tr", "desc", "footer"}
_MARKS: Final = {"h1": "# ", "h2": "\n## ", "li": "- ", "tr": "| ", "desc": "(drawing) "}


class Reading(HTMLParser):
    """What is read of a page.

    Attributes:
        elements: each with its attributes, in their order.
        title: what the tab says.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.title = ""
        self._open: list[str] = []
        self._hidden: list[int] = []  # how deep what is not heard lies
        self._lines: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"not closed: {self._open}"
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag in _VOID:
            return
        self._open.append(tag)
        if attributes.get("aria-hidden") == "true":
            self._hidden.append(len(self._open))
        if tag in _BLOCKS:
            self._lines.append(_MARKS.get(tag, ""))
        elif tag in ("td", "th") and not self._lines[-1].endswith("| "):
            self._lines[-1] += " | "

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and self._hidden[-1] == len(self._open):
            self._hidden.pop()
        assert self._open.pop() == tag
        if tag in _BLOCKS:
            self._lines.append("")

    def handle_data(self, data: str) -> None:
        within = self._open[-1] if self._open else ""
        if within == "title" and "svg" not in self._open:
            self.title = data
        # Of a drawing its description is heard, and not what stands in it.
        if within in _SILENT or self._hidden or ("svg" in self._open and within != "desc"):
            return
        if within == "span" and self._lines[-1][-1:].isalnum():
            data = f" {data}"
        if self._lines:
            self._lines[-1] += data

    @property
    def lines(self) -> list[str]:
        """All that is read, a line for each piece."""
        return [line.rstrip() for line in self._lines if line.strip(" -")]
