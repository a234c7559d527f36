"""``energysim estimate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import Target, estimate_options, output_options, read_shape

__all__ = ["command"]


@click.command("estimate")
@estimate_options
@output_options
def command(
    model: str,
    sparsity: tuple[str, ...],
    hardware: str,
    shape: str | None,
    form: str | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Estimate MODEL layer by layer, dense beside sparse.

    MODEL is a name of the zoo (energysim list models), an ONNX file, or a Python file with a function
    build(input, classes) -> LayerGraph.
    """
    from energysim.walker import estimate

    target = Target(form, output)
    report = estimate(model, sparsity or "dense", hardware, input=read_shape(shape), **options)
    target.put(report.render)
