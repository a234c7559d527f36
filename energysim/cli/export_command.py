"""``energysim export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import read_shape

__all__ = ["command"]


@click.command("export")
@click.argument("model")
@click.option(
    "--sparsity",
    "-s",
    default="dense",
    show_default=True,
    metavar="SCHEME",
    help="One scheme, or rules ('features.*=psconv; classifier.*=dense').",
)
@click.option(
    "--output",
    "-o",
    required=True,
    metavar="FILE.onnx",
    type=click.Path(path_type=Path),
    help="File to write.",
)
@click.option(
    "--weights",
    metavar="PATH",
    help=".npz or safetensors file, a folder of them, or random; by default those that ship.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of random weights.")
@click.option("--input", "shape", metavar="CxHxW", help="Shape of one sample, e.g. 3x64x64.")
@click.option("--classes", type=int, help="Number of classes.")
@click.option("--batch", type=int, help="Fixed batch size; left open by default.")
def command(model: str, sparsity: str, output: Path, shape: str | None, **options: Any) -> None:
    """Write MODEL with masked weights as an ONNX file.

    Needs the package onnx: pip install 'energysim[onnx]'.
    """
    from energysim.exporters import export

    done = export(model, sparsity, output, input=read_shape(shape), **options)
    click.echo(f"wrote {output}: {done}", err=True)
