"""``energysim compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import Target, estimate_options, output_options, read_shape

__all__ = ["command"]


@click.command("compare")
@estimate_options
@output_options
@click.option(
    "--by",
    type=click.Choice(["part", "layer", "network"]),
    help="A row per part, per layer, or only for the network; by default part, with 'all' network.",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Schemes in ascending order of a total: energy_pj, dram_bits, macs, cycles, ... or scheme.",
)
def command(
    model: str,
    sparsity: tuple[str, ...],
    hardware: str,
    shape: str | None,
    form: str | None,
    output: Path | None,
    by: str | None,
    sort: str | None,
    **options: Any,
) -> None:
    """Estimate several schemes of MODEL and print their factors against dense.

    --sparsity all takes every scheme that applies, and says of the others why they do not.
    """
    from energysim.errors import UsageError
    from energysim.report.comparison import check_column, render
    from energysim.walker import estimate

    if not sparsity:
        raise UsageError("compare needs --sparsity, e.g. --sparsity psconv:PSD4_P8,psconv:PSD1_P16")
    target = Target(form, output)
    if sort is not None:
        check_column(sort)
    report = estimate(model, sparsity, hardware, input=read_shape(shape), **options)
    if sort is not None:
        report = report.sorted_by(sort)
    whole = "network" if "all" in ",".join(sparsity).replace(" ", "").split(",") else "part"
    target.put(lambda form: render(report, form, by or whole))
