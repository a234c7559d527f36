"""Traffic of one memory by layer and tensor; for DRAM with the least that any mapping needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from energysim.errors import UsageError, near_miss
from energysim.report.colours import colours, tint
from energysim.report.plots.energy import TITLES, stacked_levels
from energysim.report.plots.layer_bars import Piece, Stack, draw, labels_of, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from energysim.report.report import Report

__all__ = ["plot_traffic"]

#: Tensors and how much of the level's colour they have: their lightness tells them apart.
_TENSORS = {"weights": 1.0, "inputs": 0.6, "outputs": 0.28}


def plot_traffic(report: Report, level: str = "dram", by: str | None = None) -> Figure:
    """Return the traffic of a memory level by tensor; partial sums count with the outputs.

    Parameters
    ----------
    report : Report
    level : str
        A level of the hardware. Marks for the lower bound are those of DRAM only.
    by : {"layer", "part", "network"}, optional
        What a bar stands for; by default ``layer``, or ``network`` for more than six schemes.

    Raises
    ------
    UsageError
        For any other ``by``, or a level of which the report knows no traffic.
    """
    by, labels = labels_of(report, by)
    known = {row.level for run in report.runs for row in run.accesses if row.bits}
    if level not in known and level != "dram":
        there = ", ".join(sorted(known))
        raise UsageError(f"the report has no traffic of {level!r}{near_miss(level, known)} (it has {there})")
    sums: dict[str, list[dict[str, int]]] = {tensor: [{} for _ in report.runs] for tensor in _TENSORS}
    bounds: list[dict[str, int]] = [{} for _ in report.runs]
    for number, (run, names) in enumerate(zip(report.runs, labels, strict=True)):
        for access in run.accesses:
            if access.level == level and access.bits:
                tensor = "outputs" if access.tensor == "partial_sums" else access.tensor.partition("_")[0]
                own = sums.setdefault(tensor, [{} for _ in report.runs])[number]
                name = names[access.node]
                own[name] = own.get(name, 0) + access.bits
        for row in run.layers:
            name = names[row.node]
            bounds[number][name] = bounds[number].get(name, 0) + row.dram_bound_bits
    colour = colours(stacked_levels(report))[level]
    pieces = [
        Piece(tensor, tint(colour, _TENSORS[tensor]), own)
        if tensor in _TENSORS
        else Piece(tensor or "other", "#FFFFFF", own, hatch="//////", edge=colour)
        for tensor, own in sums.items()
    ]
    shown = TITLES.get(level, level)
    title = f"{shown} traffic by tensor: {title_of(report)}"
    stack = Stack(title, f"{shown} traffic", "bit", pieces, marks=bounds, mark="least any mapping needs")
    if level != "dram":
        stack = Stack(title, f"{shown} traffic", "bit", pieces)
    return draw(report, stack, by, labels)
