"""Man pages, from the declarations that the help is made of: `python -m memrep.cli.man_page DIRECTORY`.

A page is a help that is read elsewhere, so nothing is written twice: the paragraphs of a help are those of its
page, its blocks of lines (\\b, in click's way) are lines here, too, and examples and exit statuses have a
section each, as man-pages(7) wants it. What stands in them is escaped as groff_char(7) asks.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from memrep import __version__
from memrep.cli.main import COMMANDS, cli

_BLOCK: Final = "\b"
_SECTIONS: Final = {"Examples:": "EXAMPLES", "Exit status:": "EXIT STATUS"}


def man_page(ctx: click.Context, others: list[str]) -> str:
    """Return the page of a command.

    Args:
        ctx: the command's own, below those of the groups it is in.
        others: the names of the pages that it points to.
    """
    name = ctx.command_path.replace(" ", "-")
    line, *paragraphs = _paragraphs(ctx.command)
    described = [part for part in paragraphs if _section(part) is None]
    parts = [
        f'.TH {name.upper()} 1 "" "memrep {__version__}" "memrep\'s manual"',
        ".SH NAME",
        f"{_plain(name)} \\- {_plain(line.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_plain(ctx.command_path)}",
        _plain(" ".join(ctx.command.collect_usage_pieces(ctx))),
        ".SH DESCRIPTION",
        *(_told(part) for part in described),
        ".SH OPTIONS",
        *_options(ctx),
    ]
    if isinstance(ctx.command, click.Group):
        parts += [".SH COMMANDS", *_commands(ctx, ctx.command)]
    for part in paragraphs:
        section = _section(part)
        if section is not None:
            parts += [f".SH {section}", _told(_without_head(part))]
    if others:
        parts += [".SH SEE ALSO", ",\n".join(f".BR {_plain(other)} (1)" for other in others)]
    return "\n".join(parts) + "\n"


def _paragraphs(command: click.Command) -> list[str]:
    """Return the paragraphs of a help, the first of which is the line that stands in the list of commands."""
    told = [inspect.cleandoc(command.help or ""), inspect.cleandoc(command.epilog or "")]
    return [part for text in told for part in re.split(r"\n\s*\n", text) if part.strip()]


def _section(paragraph: str) -> str | None:
    """Return the section that is made of this paragraph; None if it is a part of the description."""
    first = paragraph.removeprefix(f"{_BLOCK}\n")
    return next((section for head, section in _SECTIONS.items() if first.startswith(head)), None)


def _without_head(paragraph: str) -> str:
    is_block = paragraph.startswith(_BLOCK)
    rest = paragraph.removeprefix(f"{_BLOCK}\n")
    for head in _SECTIONS:
        rest = rest.removeprefix(head)
    return f"{_BLOCK}\n{rest.lstrip(chr(10))}" if is_block else rest.strip()


def _told(paragraph: str) -> str:
    """Return a paragraph: filled, or as lines if it is a block of these."""
    if paragraph.startswith(_BLOCK):
        lines = [_plain(line) for line in paragraph.removeprefix(f"{_BLOCK}\n").splitlines()]
        return "\n".join([".PP", ".nf", *lines, ".fi"])
    return "\n".join([".PP", *(_plain(line) for line in paragraph.splitlines())])


def _options(ctx: click.Context) -> Iterator[str]:
    for option in ctx.command.get_params(ctx):
        record = option.get_help_record(ctx)
        if record is not None and isinstance(option, click.Option):
            names, text = record
            yield f".TP\n.B {_plain(names)}\n{_plain(text)}"


def _commands(ctx: click.Context, group: click.Group) -> Iterator[str]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        line = COMMANDS[name].line if group is cli else _paragraphs(command)[0] if command else ""
        yield f".TP\n.B {_plain(name)}\n{_plain(line)}"


def _plain(text: str) -> str:
    """Return a line that means what stands in it: no escape, no request, a hyphen that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def pages() -> dict[str, str]:
    """Return all pages, by the names of their files."""
    return dict(_pages(click.Context(cli, info_name="memrep", **cli.context_settings), []))


def _pages(ctx: click.Context, above: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the page of a command, which points to those above it, and of each that is in it."""
    name = ctx.command_path.replace(" ", "-")
    group = ctx.command if isinstance(ctx.command, click.Group) else None
    inner = group.list_commands(ctx) if group else []
    yield f"{name}.1", man_page(ctx, [*above, *(f"{name}-{one}" for one in inner)])
    for one in inner:
        command = group.get_command(ctx, one) if group else None
        assert command is not None
        yield from _pages(click.Context(command, info_name=one, parent=ctx, **command.context_settings), [name])


def main() -> None:
    """Write all pages into a directory, which is made if it is not there."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (directory / name).write_text(page)


if __name__ == "__main__":
    main()
