"""``energysim plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from energysim.cli.finished import given, is_report, read_report, refuse_estimate_options
from energysim.cli.options import Target, estimate_options, read_shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from energysim.report import Report

__all__ = ["command"]

#: Options of this command itself -> the kinds of plots they go with.
_OWN = {
    "by": ("energy", "traffic", "storage"),
    "level": ("traffic",),
    "window": ("patterns",),
    "accuracy": ("tradeoff",),
    "capacities": ("curve",),
    "layer": ("curve",),
}


@click.command("plot")
@estimate_options
@click.option(
    "--kind",
    "-k",
    default="energy",
    show_default=True,
    metavar="KIND",
    help="energy, traffic, roofline, storage, patterns, tradeoff or curve.",
)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to: .svg, .png or .pdf.",
)
@click.option("--by", metavar="WHAT", help="A bar per layer, part or network (energy, traffic, storage).")
@click.option("--level", metavar="NAME", help="Whose traffic; by default dram.")
@click.option("--window", metavar="RxS", help="Windows whose patterns are drawn; by default 3x3.")
@click.option(
    "--accuracy",
    multiple=True,
    metavar="SCHEME=PERCENT",
    help="For tradeoff, once for each scheme; by default what was measured or published.",
)
@click.option(
    "--capacities",
    metavar="SIZES",
    help="For curve: 16KiB,64KiB,108KiB, or by default powers of two from 4 KiB to 4 MiB.",
)
@click.option("--layer", metavar="NAME", help="For curve: one layer instead of the network.")
def command(
    model: str,
    kind: str,
    output: Path,
    sparsity: tuple[str, ...],
    shape: str | None,
    **options: Any,
) -> None:
    """Draw MODEL, or a report that estimate has written as JSON.

    MODEL is a name of the zoo, an ONNX file or a builder file; REPORT.json has been made with all its
    options already, and takes none of them.
    """
    from energysim.errors import UsageError, near_miss
    from energysim.report.plots import KINDS, check_grouping, save_plot

    if kind not in KINDS:
        raise UsageError(f"unknown kind {kind!r} of a plot{near_miss(kind, KINDS)} ({', '.join(KINDS)})")
    own = {name: options.pop(name) for name in _OWN}
    for name, kinds in _OWN.items():
        if own[name] and kind not in kinds:
            raise UsageError(f"--{name} goes with --kind {' or '.join(kinds)}, not with {kind}")
    if own["by"]:
        check_grouping(own["by"])
    window = _window(own["window"])
    accuracies = _accuracies(own["accuracy"])

    from energysim.report.plots.canvas import form_of_figure

    Target(form_of_figure(output), output)  # whether it can be written, before anything is computed
    options["input"] = read_shape(shape)
    report: Report | None
    hardware = None
    if is_report(model):
        refuse_estimate_options({"model", "kind", "output", *_OWN})
        if kind == "curve":
            raise UsageError("a curve is many estimates, and a report is one: give the model instead")
        report = read_report(model)
    elif kind == "curve":
        report = None
    else:
        from energysim.walker import estimate

        report = estimate(model, sparsity or "dense", **options)
        hardware = options["hardware"]
    if report is None:
        figure = _curve(model, sparsity, own, options)
    elif kind == "energy":
        figure = report.plot_energy(own["by"])
    elif kind == "traffic":
        figure = report.plot_traffic(own["level"] or "dram", own["by"])
    elif kind == "storage":
        figure = report.plot_storage(own["by"])
    elif kind == "roofline":
        figure = report.plot_roofline(hardware)
    elif kind == "patterns":
        figure = report.plot_patterns(window)
    else:
        figure = report.plot_tradeoff(accuracies)
    save_plot(figure, output)
    click.echo(f"wrote {output}", err=True)


def _curve(model: str, sparsity: tuple[str, ...], own: dict[str, Any], options: dict[str, Any]) -> Figure:
    """The figure of a curve."""
    from energysim.cli.capacities import read_capacities
    from energysim.curves import buffer_curve
    from energysim.errors import UsageError
    from energysim.report.plots.buffer_curve import plot_curve, title_of_curve

    if options.pop("objective") != "dram" and given("objective"):
        raise UsageError("--kind curve is about the least DRAM traffic: leave --objective out")
    sizes = read_capacities(own["capacities"] or "all")
    points = buffer_curve(model, ("dense", *sparsity), capacities_bits=sizes, layer=own["layer"], **options)
    return plot_curve(points, title_of_curve(model, own["layer"]))


def _window(text: str | None) -> tuple[int, int]:
    """Rows and columns of ``3x3``."""
    from energysim.errors import UsageError

    if text is None:
        return 3, 3
    parts = text.lower().split("x")
    good = all(part.isascii() and part.isdigit() and len(part) <= 2 for part in parts)
    if not good or len(parts) != 2 or not all(1 <= int(part) <= 32 for part in parts):
        raise UsageError(f"--window is RxS with lengths from 1 to 32, not {text!r}")
    return int(parts[0]), int(parts[1])


def _accuracies(given: tuple[str, ...]) -> dict[str, float] | None:
    """Scheme to percent, of ``psconv:PSD4_P8=92.9``."""
    from energysim.errors import UsageError

    found: dict[str, float] = {}
    for item in given:
        scheme, _, number = item.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not scheme or not 0 <= value <= 100 or scheme in found:
            raise UsageError(
                f"--accuracy is SCHEME=PERCENT from 0 to 100, once for each scheme, not {item!r}"
            )
        found[scheme] = value
    return found or None
