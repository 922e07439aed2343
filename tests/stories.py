"""Tells the stories of replication: `python -m tests.stories --rewrite`, or `make story`.

Without `--rewrite` it only says where they come out otherwise than they are written; the exit status is then 1.
The stories, and their commands, are in tests/unit/replication/stories.
"""

from __future__ import annotations

import sys

import click

from tests.unit.replication.stories.script import PATHS, BadStory, read


@click.command()
@click.argument("names", nargs=-1)
@click.option("--rewrite", is_flag=True, help="Write down what comes of them now.")
def main(names: tuple[str, ...], rewrite: bool) -> None:
    """Replay these stories, or all of them; NAMES may be parts of names."""
    paths = [path for path in PATHS if not names or any(name in path.name for name in names)]
    if not paths:
        raise click.ClickException(f"no story has {' or '.join(names)} in its name")
    failed = changed = 0
    for path in paths:
        story = read(path)
        try:
            replayed = story.replayed()
        except BadStory as error:
            failed += 1
            click.echo(error, err=True)
            continue
        if replayed != story.text:
            changed += 1
            click.echo(story.difference(replayed))
            if rewrite:
                path.write_text(replayed, "utf-8")
    written = "are written anew" if rewrite else "come out otherwise"
    click.echo(f"{len(paths)} stories: {changed} {written}, {failed} cannot be told")
    sys.exit(1 if failed or (changed and not rewrite) else 0)


if __name__ == "__main__":
    main()
