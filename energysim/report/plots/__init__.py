"""Plots of reports: one module each; every one returns a ``matplotlib.figure.Figure``, never pyplot's.

Importing this package does not import matplotlib.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from energysim.errors import UsageError, near_miss

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GROUPINGS", "KINDS", "check_grouping", "save_plot"]

#: Kinds of plots and what they show.
KINDS = {
    "energy": "energy of each layer by memory level",
    "traffic": "DRAM traffic of each layer by tensor, and the least that any mapping needs",
    "roofline": "multiply-adds per cycle against those per byte of DRAM traffic, under the roofs",
    "storage": "stored weights of each layer, and the tables beside them",
    "patterns": "the periodic support sets of schemes",
    "tradeoff": "accuracy against energy, with the Pareto front",
    "curve": "DRAM traffic against the size of the buffer, with the lower bound",
}
#: What a bar can stand for.
GROUPINGS = ("layer", "part", "network")


def check_grouping(by: str) -> None:
    """Raise UsageError unless bars can stand for this."""
    if by not in GROUPINGS:
        raise UsageError(f"plot by {by!r}{near_miss(by, GROUPINGS)} ({', '.join(GROUPINGS)})")


def save_plot(figure: Figure, path: str | Path) -> None:
    """Write a figure to a file in the format of its suffix: the same bytes every time, all or nothing.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or Path
        ``.svg``, ``.png`` or ``.pdf``.

    Raises
    ------
    UsageError
        If the suffix is another, or the file cannot be written.
    """
    from energysim.report.files import write_bytes
    from energysim.report.plots.canvas import figure_bytes, form_of_figure

    path = Path(path)
    write_bytes(path, figure_bytes(figure, form_of_figure(path)))
