"""``energysim diff``."""

from __future__ import annotations

from pathlib import Path

import click

from energysim.cli.options import Target

__all__ = ["command"]


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Changes shown.")
@click.option("--exit-code", is_flag=True, help="Exit code 1 if a number differs.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    help="By default table, or the suffix of --output.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write to a file instead of stdout.")
def command(old: Path, new: Path, top: int, exit_code: bool, form: str | None, output: Path | None) -> None:
    """Print what differs between two saved reports (estimate -o r.json) or baselines, OLD and NEW."""
    from energysim.errors import CheckFailedError, UsageError
    from energysim.regression import compare, read_either
    from energysim.regression.machine import diff_json
    from energysim.regression.text import diff_text
    from energysim.regression.words import verdict

    target = Target(form, output)
    if target.form == "csv":
        raise UsageError("diff writes no csv (json, markdown, table)")
    found = compare(read_either(old), read_either(new))
    names = str(old), str(new)

    def render(form: str) -> str:
        return diff_json(found, names) if form == "json" else diff_text(found, names, form == "markdown", top)

    target.put(render)
    if exit_code and not found.passed:
        raise CheckFailedError(f"{new}: {verdict(found)}")
