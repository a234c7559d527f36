"""The page of all commands: usage, arguments, options and defaults, read from click."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from energysim.cli import cli

__all__ = ["commands", "page"]


def commands(group: click.Group = cli, words: str = "energysim") -> Iterator[tuple[str, click.Command]]:
    """Every command below a group with the words that call it, in the order of the help text."""
    context = click.Context(group, info_name=words)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{words} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{words} {name}")


def plain(text: str) -> str:
    """Text as it stands, in Markdown: nothing in it is markup, a table's bar included."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))


def page() -> str:
    """Return the page in Markdown."""
    parts = [
        "# Commands",
        "Written by the program's own help texts when this site is built. `energysim COMMAND --help` "
        "prints the same. Exit codes: 0 fine, 1 a check failed, 2 bad usage or bad input, 3 an internal "
        "error, 130 on Ctrl-C.",
    ]
    for words, command in commands():
        parts += _section(words, command)
    return "\n\n".join(parts) + "\n"


def _section(words: str, command: click.Command) -> Iterator[str]:
    # Below the program's own context: a command remembers the names of its help option from the first one.
    context = click.Context(command, info_name=words, parent=click.Context(cli, **cli.context_settings))
    yield f"{'###' if words.count(' ') > 1 else '##'} {words}"
    yield from map(plain, re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")))
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{words} {usage}\n```"
    options = (p for p in command.params if isinstance(p, click.Option))
    rows = [record for option in options if (record := option.get_help_record(context))]
    if rows:
        lines = [f"| `{written}` | {plain(text)} |" for written, text in rows]
        yield "\n".join(["| option | meaning |", "| --- | --- |", *lines])
