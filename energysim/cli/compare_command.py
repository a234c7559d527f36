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
    type=click.Choice(["part", "layer"]),
    default="part",
    show_default=True,
    help="A row per part or per layer.",
)
def command(
    model: str,
    sparsity: tuple[str, ...],
    hardware: str,
    shape: str | None,
    form: str | None,
    output: Path | None,
    by: str,
    **options: Any,
) -> None:
    """Estimate several schemes of MODEL and print their factors against dense."""
    from energysim.errors import UsageError
    from energysim.report.comparison import render
    from energysim.walker import estimate

    if not sparsity:
        raise UsageError("compare needs --sparsity, e.g. --sparsity psconv:PSD4_P8,psconv:PSD1_P16")
    target = Target(form, output)
    report = estimate(model, sparsity, hardware, input=read_shape(shape), **options)
    target.put(lambda form: render(report, form, by))
