"""``energysim reproduce``."""

from __future__ import annotations

from pathlib import Path

import click

from energysim.cli.options import Target, output_options

__all__ = ["command"]


@click.command("reproduce")
@click.argument("source", required=False)
@output_options
def command(source: str | None, form: str | None, output: Path | None) -> None:
    """Compute published numbers anew and print them beside ours: all sources, or SOURCE."""
    from energysim.reproduce import read_facts, render, reproduce, source_names

    target = Target(form, output)
    tables = [reproduce(name) for name in ([source] if source else source_names())]
    target.put(lambda form: render(tables, read_facts(), form))
