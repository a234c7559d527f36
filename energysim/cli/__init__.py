"""The command line: thin modules that parse, call and print.

Results go to stdout, everything else to stderr. Exit codes: 0 fine, 1 a check failed, 2 bad usage
or input, 3 an internal error in one line, 130 on Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from energysim.errors import EnergysimError

__all__ = ["cli", "main"]

#: Command -> one line of help; a command's module is imported when it runs.
_COMMANDS = {
    "compare": "Estimate schemes side by side and print the factors against dense.",
    "estimate": "Estimate a network layer by layer, dense beside sparse.",
    "list": "List models, hardware, schemes, formats, cost models or rules.",
    "schema": "Print the JSON schema of a data file, for editors.",
    "show": "Show a model's layers, a hardware's constants, or a scheme's patterns.",
}


class _LazyGroup(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"energysim.cli.{cmd_name}_command").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="energysim", message="energysim %(version)s")
@click.option("--traceback", is_flag=True, help="Show the traceback of an internal error.")
def cli(traceback: bool) -> None:
    """Energy and DRAM accesses of neural networks, layer by layer, dense against sparse."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(given, prog_name="energysim", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("energysim: interrupted", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except EnergysimError as error:
        click.echo(f"energysim: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        click.echo("energysim: interrupted", err=True)
        code = 130
    except Exception as error:
        if "--traceback" in given:
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        click.echo(f"energysim: internal error, please report it: {what} (--traceback shows more)", err=True)
        code = 3
    sys.exit(code if isinstance(code, int) else 0)
