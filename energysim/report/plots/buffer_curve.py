"""DRAM traffic against the size of the buffer, with the lower bound beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Protocol

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from energysim.errors import UsageError
from energysim.report.plots.canvas import INK, head, new_figure, plain_axes, settled, styled
from energysim.report.plots.numbers import log_axis
from energysim.report.plots.scheme_marks import scheme_marks
from energysim.report.scales import scale_for
from energysim.report.tables import cell_text
from energysim.units import KIB

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CurvePoint", "plot_curve", "title_of_curve"]

#: Column of a point -> what its line is called and how it is drawn; those that are there are drawn.
_LINES: dict[str, tuple[str, Literal["-", "--", ":"]]] = {
    "dram_bits": ("least traffic of a mapping", "-"),
    "dram_bound_bits": ("lower bound for any mapping", "--"),
    "compulsory_bits": ("every tensor once", ":"),
}
#: Traffics that differ by more than this are drawn on a logarithmic axis.
_WIDE = 20


class CurvePoint(Protocol):
    """What :class:`energysim.curves.BufferPoint` has."""

    @property
    def scheme(self) -> str: ...
    @property
    def capacity_bits(self) -> int: ...
    @property
    def compulsory_bits(self) -> int | None: ...
    @property
    def dram_bound_bits(self) -> int | None: ...
    @property
    def dram_bits(self) -> int | None: ...


def title_of_curve(network: str, layer: str | None = None) -> str:
    """Return the title of the curve of a network, or of one of its layers."""
    what = f"{layer} of {network}" if layer else network
    return cell_text(f"Least DRAM traffic against the size of the buffer: {what}")


def plot_curve(points: Iterable[CurvePoint], title: str) -> Figure:
    """Return the curves of :func:`energysim.curves.buffer_curve`, three lines per scheme.

    A size that no mapping of some layer fits has no point.

    Parameters
    ----------
    points : iterable of BufferPoint
    title : str
        Which network or layer it is.

    Raises
    ------
    UsageError
        If there is no point, none that fits, or no traffic in any.
    """
    given = list(points)
    known = [getattr(one, column) for one in given for column in _LINES]
    values = [value for value in known if value]
    if not values and known and None not in known:
        raise UsageError("there is no curve: no layer has multiply-adds")
    if not values:
        raise UsageError("the curve has no size of the buffer that a mapping of every layer fits")
    schemes = list(dict.fromkeys(one.scheme for one in given))
    scale = scale_for(values, "bit")
    with styled():
        figure = new_figure(7.5, 5)
        axes = figure.subplots()
        handles: dict[str, Artist] = {}
        for scheme, mark in zip(schemes, scheme_marks(len(schemes)), strict=True):
            own = sorted((one for one in given if one.scheme == scheme), key=lambda one: one.capacity_bits)
            for column, (_, style) in _LINES.items():
                bits = [getattr(one, column) for one in own]
                axes.plot(
                    [one.capacity_bits / (8 * KIB) for one in own],
                    [float("nan") if value is None else float(value / scale.divisor) for value in bits],
                    linestyle=style,
                    marker=mark.shape if column == "dram_bits" else "",
                    color=mark.colour,
                    markersize=5,
                    linewidth=1.2,
                    label=f"{column} {scheme}",
                )
            handles[cell_text(scheme)] = Line2D([], [], color=mark.colour, marker=mark.shape, markersize=5)
        for name, style in _LINES.values():
            handles[name] = Line2D([], [], color=INK, linestyle=style, linewidth=1.2)
        axes.set_xscale("log", base=2)
        sizes = sorted({one.capacity_bits / (8 * KIB) for one in given})
        axes.set_xticks(sizes if len(sizes) <= 14 else sizes[:: -(-len(sizes) // 14)])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if max(values) > _WIDE * min(values):
            axes.set_yscale("log")
            log_axis(axes.yaxis, (1.0, 2.0, 3.0, 5.0))
        else:
            axes.set_ylim(0, 1.05 * float(max(values) / scale.divisor))
        axes.set_xlabel("buffer [KiB]")
        axes.set_ylabel(f"DRAM traffic [{scale.unit}]")
        plain_axes(axes, "both")
        head(figure, title, list(handles.values()), list(handles))
        return settled(figure)
