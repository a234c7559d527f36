"""``energysim inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from energysim.cli.options import Target, output_options, read_shape

__all__ = ["command"]


@click.command("inspect")
@click.argument("model")
@click.option("--weights", metavar="FILE", help=".npz or safetensors file with the network's weights.")
@click.option("--set", "group", metavar="NAME", help="Which set of a file of several; by default the first.")
@click.option(
    "--bits", "width", type=int, default=8, show_default=True, help="Width of a stored weight, for sizes."
)
@click.option("--input", "shape", metavar="CxHxW", help="Shape of one sample, e.g. 3x64x64.")
@click.option("--classes", type=int, help="Number of classes.")
@output_options
def command(
    model: str,
    weights: str | None,
    group: str | None,
    width: int,
    shape: str | None,
    classes: int | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Find the structure that is really in the weights of MODEL.

    MODEL is a network with weights of its own (an ONNX file), a name of the zoo or a Python file with
    --weights, or a weight file alone. Periodic, N:M, block, channel and whole-kernel patterns,
    densities, distinct values, what repeats, and the cheapest way to store each layer. "is" is only
    said of what is exact; else the exceptions are counted.
    """
    from energysim.inspector import inspect_weights

    target = Target(form, output)
    found = inspect_weights(
        model, weights, group=group, width=width, input=read_shape(shape), classes=classes
    )
    target.put(found.render)
