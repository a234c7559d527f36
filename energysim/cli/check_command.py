"""``energysim check``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from energysim.cli.options import Target

__all__ = ["command"]


@click.command("check")
@click.argument("baselines", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    "-t",
    "rules",
    multiple=True,
    metavar="RULE",
    help="[LAYERS:]COLUMNS=-FALL..+RISE, e.g. '*.energy_aj=-any..+1%'; the first that names a number "
    "decides. By default counts are equal and energies equal within a part in 10^9.",
)
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="Changes shown of each.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown", "junit", "github"]),
    help="By default table, or the suffix of --output. github: annotations, and the step summary.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write to a file instead of stdout.")
def command(
    baselines: tuple[Path, ...], rules: tuple[str, ...], top: int, form: str | None, output: Path | None
) -> None:
    """Recompute BASELINES (files, or folders of them) and compare every number.

    Says which numbers moved, and whether the inputs or the engine did it. Exit code 1 if a number
    moved that must not.
    """
    from energysim.errors import CheckFailedError, UsageError
    from energysim.regression import check_all, parse_tolerance
    from energysim.regression.machine import check_json, github_annotations, junit
    from energysim.regression.text import check_text
    from energysim.regression.words import verdict, whole_verdict

    tolerances = [parse_tolerance(rule) for rule in rules]
    target = Target(form, output)
    results = check_all(baselines, tolerances)
    makers = {
        "json": lambda: check_json(results),
        "junit": lambda: junit(results),
        "github": lambda: github_annotations(results),
        "markdown": lambda: check_text(results, True, top),
        "table": lambda: check_text(results, False, top),
    }
    if target.form not in makers:
        raise UsageError(f"check writes no {target.form} ({', '.join(sorted(makers))})")
    errors = [result.error for result in results if result.comparison is None]
    if len(errors) < len(results) or target.form != "table" or output is not None:  # else stderr tells all
        target.put(lambda form: makers[form]())
    if target.form == "github":
        _summarise(check_text(results, True, top))
    if errors:
        raise UsageError("\n".join(errors))
    failed = [f"{r.path}: {verdict(r.comparison)}" for r in results if r.comparison and not r.passed]
    if failed:
        raise CheckFailedError(failed[0] if len(failed) == 1 else whole_verdict(results))


def _summarise(text: str) -> None:
    """Add a text to the summary of the step, if GitHub runs this.

    Nobody asked for this file: that it cannot be written changes no verdict.
    """
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        click.echo(f"energysim: warning: GITHUB_STEP_SUMMARY {name}: cannot be written: {reason}", err=True)
