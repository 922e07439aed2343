"""The commands in a group, each loaded when it is called; a mistake of the operator's is answered by one line.

Problem: `memrep check` runs every minute on every server, and to load a node takes several times as long as to
ask one. So the group knows of a command only what its own help shows: name, one line, module. The module is
imported when the command is called, or its help asked for. Its command is named after it: `check_command`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from memrep import __version__
from memrep.daemon.guard import in_words, remedy
from memrep.daemon.last_words import say
from memrep.errors import AbsentError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Exit statuses: a person has to change something; or something is missing that may come by itself, so that
#: whoever looks after the program may try again.
MISTAKE: Final = 2
ABSENT: Final = 4


class Entry(NamedTuple):
    """What is known of a command before it is loaded.

    Attributes:
        module: where it is.
        line: what it does, as the first line of its help has it.
    """

    module: str
    line: str


COMMANDS: Final = {
    "serve": Entry("memrep.cli.serve", "Run a node in the foreground, until SIGTERM."),
    "status": Entry("memrep.cli.status", "Show who serves and what is wrong, or wait until all is well."),
    "top": Entry("memrep.cli.top", "Show all that goes on at a node, anew each second."),
    "clients": Entry("memrep.cli.clients", "Show who asks this node how much, or hang up on somebody."),
    "doctor": Entry("memrep.cli.doctor", "Look for what would hinder a node, before it starts."),
    "sessions": Entry("memrep.cli.sessions", "Find, show and end sessions."),
    "import": Entry("memrep.cli.taking_in", "Take in the sessions of what keeps them today."),
    "dump": Entry("memrep.cli.dump", "Write everything that a node holds into a file, while it serves."),
    "restore": Entry("memrep.cli.dump", "Write what `memrep dump` has written into a node, and so into all."),
    "slow": Entry("memrep.cli.slow", "Show which commands waited for long, and for what."),
    "locks": Entry("memrep.cli.locks", "Show which sessions are locked, by whom, and who waits."),
    "drain": Entry("memrep.cli.drain", "Take this node out of service, while its process goes on."),
    "resume": Entry("memrep.cli.drain", "Let a node serve again that was drained."),
    "reload": Entry("memrep.cli.reload", "Let this node read its options anew, while it runs."),
    "config": Entry("memrep.cli.config", "Show the options of this node, or what a restart would change."),
    "log": Entry("memrep.cli.log", "Show or set what this node logs, while it runs."),
    "check": Entry("memrep.cli.check", "Tell a monitoring system if all is well (Nagios' conventions)."),
}


class LazyGroup(click.Group):
    """The commands above; none is loaded before it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None if there is none of this name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help of the group; click's own way would load them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.line) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, and load none for it."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 (only a shell has a use for it)

        names = [
            CompletionItem(name, help=entry.line)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="memrep")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Web sessions that survive the loss of any node.

    A memrep node runs on each web server and speaks memcached's protocol. A write to any node is held by all
    of them before it is acknowledged, and a read is served by any.

    \b
    First steps:
      memrep serve                     one node, to try it out
      memrep status                    who serves, and what is wrong
      memrep check safe-to-stop        may this node be stopped now?
      memrep drain                     take it out of service; memrep resume lets it in again
      memrep COMMAND --help            examples for each command

    \b
    Completion in bash; the others have zsh_source and fish_source:
      eval "$(_MEMREP_COMPLETE=bash_source memrep)"
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the console script: one line and exit status 2 for a mistake of the operator's, 4 for what may pass.

    Args:
        arguments: those of the command line, without the program's name; None for the process's own.
    """
    try:
        status = cli.main(args=arguments, prog_name="memrep", standalone_mode=False)
    except UsageError as error:
        say(f"memrep: {error}")
        sys.exit(ABSENT if isinstance(error, AbsentError) else MISTAKE)
    except click.ClickException as error:
        ctx = error.ctx if isinstance(error, click.UsageError) else None
        say(f"memrep: {error.format_message()} (see {ctx.command_path if ctx else 'memrep'} --help)")
        sys.exit(MISTAKE)
    except (OSError, MemoryError) as error:  # only at the start: a node that runs lets none of them out
        say(f"memrep: the system refuses what memrep needs: {in_words(error)}; {remedy(error)}")
        sys.exit(ABSENT)
    except ImportError as error:  # some modules are loaded only when they are needed
        say(
            f"memrep: a part of Python cannot be loaded: {error}; install Python and memrep anew if it stays so"
        )
        sys.exit(ABSENT)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    if status:
        sys.exit(status)
