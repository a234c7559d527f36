"""Energy of each layer, stacked by memory level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energysim.report.colours import colours
from energysim.report.plots.layer_bars import Piece, Stack, draw, labels_of, title_of
from energysim.report.scales import ATTO
from energysim.report.totals import own_levels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from energysim.report.report import Report

__all__ = ["TITLES", "plot_energy", "stacked_levels"]

#: Levels whose name in a picture is another than in the tables.
TITLES = {"mac": "MAC", "vector": "other operations", "dram": "DRAM"}


def stacked_levels(report: Report) -> list[str]:
    """Return all levels of a report from the multipliers outwards."""
    return ["mac", "vector", "register", *own_levels(report.runs), "buffer", "dram"]


def plot_energy(report: Report, by: str | None = None) -> Figure:
    """Return the energies of a report by memory level.

    Parameters
    ----------
    report : Report
    by : {"layer", "part", "network"}, optional
        What a bar stands for; by default ``layer``, or ``network`` for more than six schemes.

    Raises
    ------
    UsageError
        For any other ``by``.
    """
    by, labels = labels_of(report, by)
    levels = stacked_levels(report)
    sums: dict[str, list[dict[str, int]]] = {level: [{} for _ in report.runs] for level in levels}
    for number, (run, names) in enumerate(zip(report.runs, labels, strict=True)):
        for access in run.accesses:
            own, name = sums[access.level][number], names[access.node]
            own[name] = own.get(name, 0) + access.energy_aj
    colour = colours(levels)
    pieces = [Piece(TITLES.get(level, level), colour[level], sums[level]) for level in levels]
    title = f"Energy by memory level: {title_of(report)}"
    return draw(report, Stack(title, "energy", "J", pieces, ATTO), by, labels)
