"""``energysim profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import Target, output_options, read_shape, run_options
from energysim.cli.progress import Progress

__all__ = ["command"]


@click.command("profile")
@click.argument("model")
@click.option(
    "--sparsity", "-s", default="dense", show_default=True, metavar="SCHEME", help="The form that is run."
)
@run_options
@output_options
def command(
    model: str,
    sparsity: str,
    shape: str | None,
    form: str | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Run MODEL on inputs and record the zeros of every tensor.

    As JSON (-o densities.json) it is a file for estimate --activations.
    """
    from energysim.profile import profile

    target = Target(form, output)
    with Progress() as progress:
        found = profile(
            model, sparsity, input=read_shape(shape), tell=progress.tell, step=progress.step, **options
        )
    target.put(found.render)
    if found.random and target.output is not None:
        click.echo("weights or images are random: these zeros are not those of a trained network", err=True)
