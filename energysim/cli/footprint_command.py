"""``energysim footprint``."""

from __future__ import annotations

from pathlib import Path

import click

from energysim.cli.options import Target, output_options, read_shape

__all__ = ["command"]


@click.command("footprint")
@click.argument("model")
@click.option("--density", metavar="NUMBER", help="Share of nonzeros in all tensors but the input, 0 to 1.")
@click.option(
    "--activations",
    metavar="ZEROS",
    help="Zero fractions by tensor instead: TENSOR=NUMBER pairs (globs), or a JSON file.",
)
@click.option(
    "--widths",
    metavar="BITS",
    help="64, or value=8,index=16,pointer=32 (the default); the papers count one width for all.",
)
@click.option(
    "--input",
    "shape",
    metavar="CxHxW",
    help="Shape of one sample, e.g. 3x64x64; of an ONNX file also NAME=NxCxHxW.",
)
@click.option("--classes", type=int, help="Number of classes.")
@click.option("--batch", type=int, help="Batch size; sizes are for the whole batch.")
@output_options
def command(
    model: str,
    density: str | None,
    activations: str | None,
    widths: str | None,
    shape: str | None,
    classes: int | None,
    batch: int | None,
    form: str | None,
    output: Path | None,
) -> None:
    """Print the memory that lowering the convolutions of MODEL takes: im2col, MEC, CSCC, CPO, CPS."""
    from energysim.errors import UsageError
    from energysim.lowering import footprint, footprint_records, read_footprint_widths
    from energysim.report.footprint import render_footprint

    target = Target(form, output)
    if density is None and activations is None:
        raise UsageError("footprint needs --density, such as 0.3, or --activations")
    if density is not None and activations is not None:
        raise UsageError("--density and --activations say the same thing: give one of them")
    bits = read_footprint_widths(widths)
    layers, left = footprint(
        model, density, activations=activations, input=read_shape(shape), classes=classes, batch=batch
    )
    given = f"density {density}" if activations is None else "given zero fractions"
    title = f"{model}, batch {layers[0].input_shape[0]}, {given}: memory for lowered inputs"
    records = footprint_records(layers, bits)
    target.put(lambda form: render_footprint(title, records, form, bits, left))
