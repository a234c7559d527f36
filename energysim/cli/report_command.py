"""``energysim report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from energysim.cli.finished import is_report, read_report, refuse_estimate_options
from energysim.cli.options import Target, estimate_options, read_shape

if TYPE_CHECKING:
    from energysim.report import Report

__all__ = ["command"]


@click.command("report")
@estimate_options
@click.argument("others", nargs=-1, metavar="[REPORT.json]...")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to: .html; by default stdout.",
)
def command(
    model: str,
    others: tuple[str, ...],
    sparsity: tuple[str, ...],
    hardware: str,
    shape: str | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Write one HTML page about MODEL, or about finished reports of one network.

    The page needs nothing besides itself: no network, no script to be read. MODEL is as for estimate, and
    --hardware may be a list; or reports that estimate has written as JSON, which take no more options.
    """
    from energysim.errors import UsageError
    from energysim.report.page import render_page

    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{output}: a page is written as .html; energysim estimate writes other formats")
    target = Target("html", output)
    reports: list[Report]
    if is_report(model):
        refuse_estimate_options(("model", "others", "output"))
        reports = [read_report(name) for name in (model, *others)]
    elif others:
        raise UsageError(
            f"a page is about one model or about reports in .json files, not {others[0]!r} besides"
        )
    else:
        from energysim.walker import estimate

        options["input"] = read_shape(shape)
        reports = [estimate(model, sparsity or "dense", name, **options) for name in _names(hardware)]
    target.put(lambda form: render_page(reports))


def _names(hardware: str) -> list[str]:
    """The names of a list; a file may have commas in its name."""
    if Path(hardware).is_file():
        return [hardware]
    return list(dict.fromkeys(name.strip() for name in hardware.split(",")))
