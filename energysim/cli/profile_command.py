"""``energysim profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import Target, output_options, read_shape
from energysim.cli.progress import Progress

__all__ = ["command"]


@click.command("profile")
@click.argument("model")
@click.option(
    "--sparsity", "-s", default="dense", show_default=True, metavar="SCHEME", help="The form that is run."
)
@click.option(
    "--weights", multiple=True, metavar="PATH", help=".npz or safetensors file, or a folder of them."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of random weights and images.")
@click.option(
    "--data",
    default="random",
    show_default=True,
    metavar="DATA",
    help="random, digits, an .npz of images, a CIFAR-10 .bin, or a folder of images.",
)
@click.option(
    "--inputs", type=int, metavar="N", help="Number of images; by default 8 random, else up to 400."
)
@click.option("--normalise", metavar="RULE", help="none, cifar10, imagenet, or MEAN,STD.")
@click.option(
    "--mode",
    type=click.Choice(["float32", "int8", "int16"]),
    default="float32",
    show_default=True,
    help="Numbers the network runs on.",
)
@click.option("--input", "shape", metavar="CxHxW", help="Shape of one sample, e.g. 3x64x64.")
@click.option("--classes", type=int, help="Number of classes.")
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
