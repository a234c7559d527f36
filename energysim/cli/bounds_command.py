"""``energysim bounds``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from energysim.cli.options import Target, network_options, objective_option, output_options, read_shape

__all__ = ["command"]


@click.command("bounds")
@network_options
@objective_option("dram")
@output_options
@click.option(
    "--capacities",
    metavar="SIZES",
    help="Traffic against the size of the buffer instead: 16KiB,64KiB,108KiB, or 'all' for powers of two.",
)
@click.option("--layer", metavar="NAME", help="With --capacities: one layer instead of the network.")
@click.option("--larger", is_flag=True, help="Beside it what the larger space of mappings reaches.")
def command(
    model: str,
    sparsity: tuple[str, ...],
    hardware: str,
    shape: str | None,
    form: str | None,
    output: Path | None,
    capacities: str | None,
    layer: str | None,
    larger: bool,
    objective: str,
    **options: Any,
) -> None:
    """Print the least DRAM traffic MODEL can have on the hardware, and what its mappings reach."""
    from energysim.errors import UsageError
    from energysim.report.bounds import render_bounds, render_records

    target = Target(form, output)
    options["input"] = read_shape(shape)
    if capacities is None:
        from energysim.mapping import enlarged
        from energysim.walker import estimate

        if layer is not None:
            raise UsageError("--layer goes with --capacities")
        report = estimate(model, sparsity or "dense", hardware, objective=objective, **options)
        more = None
        if larger:
            options["rules"] = enlarged(options["rules"])
            more = estimate(model, sparsity or "dense", hardware, objective=objective, **options)
        target.put(lambda form: render_bounds(report, form, more))
        return
    from energysim.cli.capacities import read_capacities
    from energysim.curves import buffer_curve, curve_records

    if objective != "dram":
        raise UsageError("--capacities is about the least DRAM traffic: leave --objective out")
    sizes = read_capacities(capacities)
    points = buffer_curve(model, sparsity or "dense", hardware, sizes, layer=layer, larger=larger, **options)
    title = f"{layer or 'layers with MACs'} of {model}: least DRAM traffic against the size of the buffer"
    target.put(lambda form: render_records(title, curve_records(points), form))
