"""The command line: thin modules that parse, call and print.

Results go to stdout, everything else to stderr. Exit codes: 0 fine, 1 a check failed, 2 bad usage
or input, 3 an internal error in one line, 130 on Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from energysim import __version__
from energysim.cli.groups import NearGroup
from energysim.errors import EnergysimError

__all__ = ["cli", "main"]

#: Command -> one line of help; a command's module is imported when it runs.
_COMMANDS = {
    "baseline": "Keep the numbers of an estimate in a file, for check: create, update, show.",
    "bounds": "Print the least DRAM traffic any mapping needs, and how far the chosen ones are from it.",
    "check": "Recompute baselines and say which numbers moved, and why: the gate for CI.",
    "compare": "Estimate schemes side by side and print the factors against dense.",
    "diff": "Print what differs between two saved reports or baselines.",
    "estimate": "Estimate a network layer by layer, dense beside sparse.",
    "export": "Write a network with masked weights as an ONNX file.",
    "footprint": "Print the memory that lowering the convolutions takes: im2col, MEC, CSCC, CPO, CPS.",
    "inspect": "Find the structure that is really in a network's weights: periodic, N:M, block, channel.",
    "list": "List models, hardware, schemes, formats, cost models or rules.",
    "plot": "Draw energy, traffic, roofline, storage, patterns, trade-off or buffer curve.",
    "profile": "Run real inputs and record the zeros of every tensor, for estimate --activations.",
    "report": "Write one self-contained HTML page: energy, bounds, layers, mappings, every constant.",
    "reproduce": "Compute published numbers anew and print them beside ours, with the error.",
    "schema": "Print the JSON schema of a data file, for editors.",
    "show": "Show a model's layers, a hardware's constants, or a scheme's patterns.",
    "validate": "Run a network in its compact form and check it against dense and the estimate.",
}


class _ReaderGone(Exception):
    """Nobody reads stdout any longer; click turns a BrokenPipeError itself into exit code 1."""


class _LazyGroup(NearGroup):
    """A group whose commands are imported on use."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _pipe():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _pipe():
            return super().invoke(ctx)

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


@contextmanager
def _pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _ReaderGone from None


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Completion of the shell: eval "$(_ENERGYSIM_COMPLETE=bash_source energysim)"; also zsh, fish.',
)
@click.version_option(__version__, message="energysim %(version)s")
@click.option("--traceback", is_flag=True, help="Show the traceback of an internal error.")
def cli(traceback: bool) -> None:
    """Energy and DRAM accesses of neural networks, layer by layer, dense against sparse."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if sys.stdout is None:  # closed by the caller: nobody wants the result
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show
    sys.exit(_run(given))


def _run(given: list[str]) -> int:
    """Run the command line; return its exit code."""
    try:
        code = cli.main(given, prog_name="energysim", standalone_mode=False)
        with _pipe():
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except _ReaderGone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the very end
        return 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except click.UsageError as error:
        if error.ctx is not None and error.message == error.ctx.get_help():  # nothing was asked for
            click.echo(error.message, err=True)
            return error.exit_code
        where = f" (energysim{_command(error)} --help)"
        return _fail(f"{_sentence(error.format_message())}{where}", error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except EnergysimError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:  # a full disk, a file that went away
        return _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2)
    except MemoryError as error:
        if "--traceback" in given:
            raise
        detail = " ".join(str(error).split())
        return _fail(f"this needs more memory than there is{f': {detail}' if detail else ''}", 2)
    except Exception as error:
        if "--traceback" in given:
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _fail(f"internal error, please report it: {what} (energysim --traceback ... shows more)", 3)


def _fail(message: str, code: int) -> int:
    click.echo(f"energysim: {message}", err=True)
    return code


def _command(error: click.UsageError) -> str:
    """The words of the command that was used wrongly, behind the program's name."""
    return "".join(f" {word}" for word in error.ctx.command_path.split()[1:]) if error.ctx else ""


def _sentence(text: str) -> str:
    """A message of click in the form of ours: on one line, small at the beginning, no full stop."""
    line = " ".join(text.split()).rstrip(".")
    return line[:1].lower() + line[1:]
