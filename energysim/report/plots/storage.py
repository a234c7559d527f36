"""Stored weights of each layer, and the tables, indices and bitmaps beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energysim.report.colours import LEVEL_COLOURS, tint
from energysim.report.plots.layer_bars import Piece, Stack, draw, labels_of, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from energysim.report.report import Report

__all__ = ["plot_storage"]


def plot_storage(report: Report, by: str | None = None) -> Figure:
    """Return the stored bits of a report: weights, and their side information.

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
    weights: list[dict[str, int]] = [{} for _ in report.runs]
    side: list[dict[str, int]] = [{} for _ in report.runs]
    for number, (run, names) in enumerate(zip(report.runs, labels, strict=True)):
        for row in run.layers:
            name = names[row.node]
            weights[number][name] = weights[number].get(name, 0) + row.weight_bits
            side[number][name] = side[number].get(name, 0) + row.side_bits
    colour = LEVEL_COLOURS["dram"]
    pieces = [
        Piece("weights", colour, weights),
        Piece("side information", tint(colour, 0.3), side, hatch="//////", edge=colour),
    ]
    return draw(report, Stack(f"Stored weights: {title_of(report)}", "stored", "bit", pieces), by, labels)
