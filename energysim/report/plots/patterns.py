"""The periodic support sets of schemes: every slot of a period, and where filters and channels use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from numpy.typing import NDArray

from energysim.errors import EnergysimError, UsageError
from energysim.kernels import PeriodicKernel
from energysim.report.plots.canvas import INK, head, new_figure, settled, styled
from energysim.report.tables import cell_text
from energysim.schemes import StructuralScheme, parse_schemes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from energysim.report.report import Report

__all__ = ["kernels_of", "map_of", "plot_patterns", "slot_grid"]

#: Taps that are kept, those of a slot that keeps all, and those that do not exist.
_KEPT, _ALL, _NONE = "#333333", "#8A8A8A", "#ECECEC"
_ACROSS = 16  # slots beside each other at most
_MOST = 24  # filters and channels of a map, so that every tap is seen
_SIDE = 64  # filters and channels of the kernel that is drawn: it has room for any period


def kernels_of(report: Report, window: tuple[int, int] = (3, 3)) -> dict[str, PeriodicKernel]:
    """Return the periodic kernel of every scheme that makes one of a window, by the scheme's name.

    Raises
    ------
    UsageError
        If there is none, or a scheme's pattern file is not there any longer.
    """
    rows, cols = window
    found: dict[str, PeriodicKernel] = {}
    names = dict.fromkeys(row.scheme for run in report.runs for row in run.layers if row.scheme != "dense")
    for name in names:
        try:
            schemes = parse_schemes(name)
        except EnergysimError as error:
            raise UsageError(f"the patterns of {name!r} cannot be drawn: {error}") from None
        for scheme in schemes:
            if isinstance(scheme, StructuralScheme):
                kernel = scheme.kernel("layer", (_SIDE, _SIDE, rows, cols))
                if isinstance(kernel, PeriodicKernel):
                    found[name] = kernel
    if not found:
        raise UsageError(
            f"no scheme of this report has a support that repeats in {rows}x{cols} windows, as "
            f"psconv:PSD4_P8 has (it has {', '.join(report.schemes)})"
        )
    return found


def slot_grid(kernel: PeriodicKernel, slot: int) -> NDArray[np.bool_]:
    """Return which taps a slot keeps, shape (R, S)."""
    rows, cols = kernel.shape[2:]
    grid = np.zeros(rows * cols, dtype=np.bool_)
    grid[list(kernel.slots[slot])] = True
    return grid.reshape(rows, cols)


def map_of(kernel: PeriodicKernel) -> NDArray[np.int64]:
    """Return the slot of filter f and channel c, shape (n, n), for at least one whole period if it fits."""
    count = min(max(kernel.period, 8), _MOST)
    places = np.arange(count, dtype=np.int64)
    return np.asarray((places[:, None] + places + 1) % kernel.period, dtype=np.int64)


def plot_patterns(report: Report, window: tuple[int, int] = (3, 3)) -> Figure:
    """Return the support sets of the periodic schemes of a report.

    Above, the slots of a period in order with the number of taps each keeps; below, the first windows of
    a weight tensor, filters downwards and channels to the right: filter f and channel c use the slot
    (f + c + 1) mod P.

    Parameters
    ----------
    report : Report
    window : (int, int)
        Rows and columns of the windows drawn.

    Raises
    ------
    UsageError
        If no scheme of the report is periodic in such windows.
    """
    kernels = kernels_of(report, window)
    with styled():
        across = max(8, *(min(kernel.period, _ACROSS) for kernel in kernels.values()))
        lines = [-(-kernel.period // across) for kernel in kernels.values()]
        heights = [height for count in lines for height in (0.62 * count + 0.3, 3.2)]
        figure = new_figure(0.5 * across, 0.8 + sum(heights))
        parts = figure.subfigures(2 * len(kernels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for number, (name, kernel) in enumerate(kernels.items()):
            upper, lower = parts[2 * number], parts[2 * number + 1]
            slots = f"{cell_text(name)}: slots 0 to {kernel.period - 1}"
            upper.suptitle(slots, x=0.02, ha="left", fontsize=8)
            cells = upper.subplots(lines[number], across, squeeze=False).flat
            for slot, axes in enumerate(cells):
                if slot < kernel.period:
                    _window(axes, slot_grid(kernel, slot))
                    axes.set_xlabel(f"{slot}", labelpad=1)
                else:
                    axes.set_axis_off()
            _whole(lower.subplots(), kernel)
        rows, cols = window
        said = {"weight": _KEPT, "weight of a slot that keeps all": _ALL, "no weight": _NONE}
        handles = [Patch(facecolor=colour) for colour in said.values()]
        head(figure, f"Support sets in {rows}x{cols} windows", handles, list(said))
        return settled(figure)


def _squares(axes: Axes, image: NDArray[np.int64], **edges: Any) -> None:
    """A square per number: 0 no weight, 1 a weight, 2 one of a slot that keeps all."""
    axes.pcolormesh(image, cmap=ListedColormap([_NONE, _KEPT, _ALL]), vmin=0, vmax=2, **edges)


def _window(axes: Axes, grid: NDArray[np.bool_]) -> None:
    """One window: a square per tap."""
    image = np.where(grid, 2 if grid.all() else 1, 0)
    _squares(axes, image[::-1], edgecolors="white", linewidth=0.8)
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _whole(axes: Axes, kernel: PeriodicKernel) -> None:
    """The first windows of a weight tensor."""
    slots = map_of(kernel)
    rows, cols = kernel.shape[2:]
    grids = [slot_grid(kernel, slot) for slot in range(kernel.period)]
    image = np.block(
        [[np.where(grids[slot], 2 if grids[slot].all() else 1, 0) for slot in line] for line in slots]
    )
    _squares(axes, image)
    axes.set_aspect("equal", anchor="W")
    axes.invert_yaxis()
    for place in range(len(slots) + 1):
        axes.axhline(place * rows, color="white", linewidth=1)
        axes.axvline(place * cols, color="white", linewidth=1)
    step = 1 if len(slots) <= 16 else 4
    numbers = range(0, len(slots), step)
    axes.set_xticks([(n + 0.5) * cols for n in numbers], [str(n) for n in numbers])
    axes.set_yticks([(n + 0.5) * rows for n in numbers], [str(n) for n in numbers])
    axes.set_xlabel("input channel c")
    axes.set_ylabel("filter f")
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
