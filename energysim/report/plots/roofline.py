"""The roofline: multiply-adds per cycle of each layer against those per byte of DRAM traffic.

Source of the picture: Williams, Waterman, Patterson, "Roofline: An Insightful Visual Performance Model
for Multicore Architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.artist import Artist
from matplotlib.lines import Line2D

from energysim.errors import EnergysimError, UsageError
from energysim.hardware import Hardware, describe_constants, load_hardware
from energysim.report.colours import LEVEL_COLOURS
from energysim.report.plots.canvas import head, new_figure, plain_axes, settled, styled
from energysim.report.plots.layer_bars import title_of
from energysim.report.plots.numbers import log_axis
from energysim.report.plots.scheme_marks import scheme_marks
from energysim.report.tables import cell_text
from energysim.report.totals import grouped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from energysim.report.report import Report

__all__ = ["Point", "plot_roofline", "points_of"]


@dataclass(frozen=True)
class Point:
    """One layer of the original network under one scheme.

    Attributes
    ----------
    layer : str
    intensity : Fraction
        Multiply-adds that cost energy, per byte of DRAM traffic.
    speed : Fraction
        The same per cycle.
    cycles : int
    """

    layer: str
    intensity: Fraction
    speed: Fraction
    cycles: int


def points_of(report: Report, scheme: str) -> list[Point]:
    """Return the layers that multiply, take time and move something through DRAM, in network order."""
    found = []
    for layer, sums in grouped(report.run(scheme), lambda row: row.origin).items():
        macs, bits, cycles = sums.effective_macs, sums.total_dram_bits, sums.cycles
        if macs and bits and cycles:
            found.append(Point(layer, Fraction(8 * macs, bits), Fraction(macs, cycles), cycles))
    return found


def plot_roofline(report: Report, hardware: Hardware | str | Path | None = None) -> Figure:
    """Return the roofline of a report; the area of a point is its share of the cycles of its scheme.

    Counted are the multiply-adds that cost energy. The roofs are the multipliers and, where the
    specification gives one, the bandwidth of DRAM; a layer below both waits for something else, or
    leaves multipliers idle.

    Parameters
    ----------
    report : Report
    hardware : Hardware, str or Path, optional
        The specification the report was made with; by default the one of its name.

    Raises
    ------
    UsageError
        If there is no specification of that name, or it is another than the report was made with.
    """
    spec = _hardware(report, hardware)
    peak, bandwidth = spec.array.macs_per_cycle, spec.dram.bandwidth
    series = [points_of(report, scheme) for scheme in report.schemes]
    intensities = [float(one.intensity) for points in series for one in points] or [1.0]
    low, high = min(intensities) / 2, max(intensities) * 2
    with styled():
        figure = new_figure(7.5, 5)
        axes = figure.subplots()
        handles: dict[str, Artist] = {}
        for scheme, points, mark in zip(report.schemes, series, scheme_marks(len(series)), strict=True):
            whole = sum(one.cycles for one in points) or 1
            axes.scatter(
                [float(one.intensity) for one in points],
                [float(one.speed) for one in points],
                s=[12 + 240 * one.cycles / whole for one in points],
                marker=mark.shape,
                facecolors="none",  # equal layers of two schemes are both seen
                edgecolors=[mark.colour],
                linewidths=1.2,
                zorder=3,
            )
            shown = Line2D([], [], linestyle="", marker=mark.shape, color=mark.colour, fillstyle="none")
            handles[cell_text(scheme)] = shown
        if bandwidth is not None:
            each = float(bandwidth.value) / 8  # byte per cycle
            ridge = peak / each
            low, high = min(low, ridge / 2), max(high, ridge * 2)
            roof = ([low, ridge], [low * each, peak])
            (line,) = axes.plot(*roof, color=LEVEL_COLOURS["dram"], linewidth=1.8)
            handles[f"DRAM bandwidth, {each:g} byte/cycle"] = line
        else:
            ridge = low
        (line,) = axes.plot([ridge, high], [peak, peak], color=LEVEL_COLOURS["mac"], linewidth=1.8)
        handles[f"{peak} multipliers"] = line
        slowest = min((float(one.speed) for points in series for one in points), default=peak / 100)
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(slowest / 1.5, peak * 1.5))
        axes.set_xlabel("MACs per byte of DRAM traffic")
        axes.set_ylabel("MACs per cycle")
        log_axis(axes.xaxis)
        log_axis(axes.yaxis, (1.0, 2.0, 3.0, 5.0))
        plain_axes(axes, "both")
        if not any(series):
            axes.text(0.5, 0.5, "no layer has multiply-adds", transform=axes.transAxes, ha="center")
        head(figure, f"Roofline: {title_of(report)}", list(handles.values()), list(handles))
        return settled(figure)


def _hardware(report: Report, given: Hardware | str | Path | None) -> Hardware:
    """The specification that the report was made with."""
    setup = report.setup
    try:
        spec = given if isinstance(given, Hardware) else load_hardware(given or setup.hardware)
    except EnergysimError as error:
        if given is not None:
            raise
        raise UsageError(
            f"the roofs need the hardware of the report: {error}; give its specification (hardware=)"
        ) from None
    # Of a specification in the words of another version the constants say that it is the same.
    known = {(use.path, use.value) for use in setup.constants}
    same = known == {(row.path, row.value) for row in describe_constants(spec)}
    if spec.digest != setup.hardware_digest and not same:
        raise UsageError(
            f"the report was made with another {setup.hardware!r} than {spec.name!r} as it is now "
            f"({setup.hardware_digest[:12]}, not {spec.digest[:12]}); give the specification that it was "
            "made with (hardware=)"
        )
    return spec
