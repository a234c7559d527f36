"""Horizontal stacked bars, a row per layer: the names stay legible however many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from energysim.report.blocks import part_titles
from energysim.report.plots import check_grouping
from energysim.report.plots.canvas import INK, head, new_figure, plain_axes, settled, styled, wrapped
from energysim.report.rows import PARTS, LayerRow
from energysim.report.scales import scale_for
from energysim.report.tables import cell_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from energysim.report.report import Report

__all__ = ["Piece", "Stack", "draw", "labels_of", "title_of"]

#: With more schemes than this, rows are networks unless asked otherwise.
_MANY = 6
_ROW, _PANEL, _LETTER = 0.145, 2.5, 0.062  # [inch]: a row, a panel, a letter of a name
_TALL = 40  # rows from which the values stand at the top too
_HEAD = 30  # letters beside each other above a panel
_LONGEST = 40  # letters of a name that is written in full


@dataclass(frozen=True)
class Piece:
    """One piece of every bar.

    Attributes
    ----------
    label, colour, hatch, edge : str
        ``edge`` is the colour of outline and hatch.
    values : list of dict of str to int
        For each scheme, the value of every row by its label.
    """

    label: str
    colour: str
    values: list[dict[str, int]]
    hatch: str = ""
    edge: str = ""


@dataclass(frozen=True)
class Stack:
    """What is drawn.

    Attributes
    ----------
    title, axis : str
        Of the figure, and of the axis of values.
    unit, base
        Unit of the values, and what one of them is in it.
    pieces : list of Piece
        From the axis outwards; pieces that are nothing everywhere are left out.
    marks : list of dict of str to int
        For each scheme a value by row that is marked with a line; empty for none.
    mark : str
        What the marks are.
    """

    title: str
    axis: str
    unit: str
    pieces: list[Piece]
    base: Fraction = Fraction(1)
    marks: list[dict[str, int]] = field(default_factory=list)
    mark: str = ""


def title_of(report: Report) -> str:
    """Return the words of a title that say of what a plot is."""
    setup = report.setup
    return cell_text(f"{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}")


def labels_of(report: Report, by: str | None) -> tuple[str, list[Mapping[str, str]]]:
    """Return what rows stand for, and for each scheme the label of every node.

    Parameters
    ----------
    by : {"layer", "part", "network"} or None
        None: ``layer``, or ``network`` where there are more than six schemes.
    """
    by = by or ("layer" if len(report.runs) <= _MANY else "network")
    check_grouping(by)
    titles = part_titles(report)
    rest = _folded(report)

    def label(row: LayerRow) -> str:
        if by == "network":
            return titles["all"]
        if by == "part":
            return titles[row.part]
        return rest if row.folded_into is not None else cell_text(row.origin)

    return by, [{row.node: label(row) for row in run.layers} for run in report.runs]


def draw(report: Report, stack: Stack, by: str, labels: Sequence[Mapping[str, str]]) -> Figure:
    """Return the figure: a panel per scheme, or one panel with a row per scheme if ``by`` is ``network``."""
    pieces = [piece for piece in stack.pieces if any(any(one.values()) for one in piece.values)]
    rows = _order(report, by, labels)
    drawn = [name for name in rows if any(one.get(name) for piece in pieces for one in piece.values)]
    values: list[list[list[int]]]  # by panel, by piece, by row
    if by == "network":
        names, panels = [cell_text(scheme) for scheme in report.schemes], [""]
        values = [[[sum(one.values()) for one in piece.values] for piece in pieces]]
        marks = [[sum(one.values()) for one in stack.marks]] if stack.marks else []
    else:
        names, panels = drawn, [cell_text(scheme) for scheme in report.schemes]
        values = [
            [[piece.values[number].get(name, 0) for name in drawn] for piece in pieces]
            for number in range(len(panels))
        ]
        marks = [[one.get(name, 0) for name in drawn] for one in stack.marks]
    longest = [sum(bar) for panel in values for bar in zip(*panel, strict=True)]
    scale = scale_for(longest, stack.unit, stack.base)

    with styled():
        shown = [_short(name) for name in names]
        width = 0.6 + _LETTER * max(map(len, shown), default=0) + (_PANEL * len(panels) if panels[0] else 5)
        heads = [wrapped(panel, _HEAD) for panel in panels]
        above = 1.6 + _ROW * max(head.count("\n") for head in heads)
        figure = new_figure(max(width, 6.5), above + _ROW * max(len(names), 3))
        every = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for number, axes in enumerate(every):
            _panel(axes, pieces, values[number], scale.divisor)
            if marks:
                _marked(axes, marks[number], scale.divisor, stack.mark)
            plain_axes(axes, "x")
            axes.set_title(heads[number], loc="left")
            axes.set_xlabel(f"{stack.axis} [{scale.unit}]" if scale.unit else stack.axis)
        first: Axes = every[0]
        first.set_yticks(range(len(shown)), shown)
        first.set_ylim(len(shown) - 0.4, -0.6)
        ends = [*longest, *(one for panel in marks for one in panel)]
        first.set_xlim(0, 1.04 * float(max(ends, default=0) / scale.divisor) or 1)
        for axes in every:
            axes.tick_params(axis="y", length=0)
        if len(names) > _TALL:
            for axes in every:
                axes.tick_params(axis="x", labeltop=True)
        if not names:
            first.text(0.5, 0.5, "nothing to draw", transform=first.transAxes, ha="center", va="center")
        found = dict(zip(*reversed(first.get_legend_handles_labels()), strict=True))
        if stack.mark in found:  # behind the pieces
            found[stack.mark] = found.pop(stack.mark)
        head(figure, stack.title, list(found.values()), list(found))
        return settled(figure)


def _order(report: Report, by: str, labels: Sequence[Mapping[str, str]]) -> list[str]:
    """Labels in network order, parts in the order of the tables, folded nodes last."""
    found = list(dict.fromkeys(name for one in labels for name in one.values()))
    if by == "part":
        titles = part_titles(report)
        return [titles[part] for part in PARTS if titles[part] in found]
    rest = _folded(report)
    return sorted(found, key=lambda name: name == rest)  # stable: all others stay in order


def _folded(report: Report) -> str:
    """What stands for all nodes that run with others."""
    most = max(sum(row.folded_into is not None for row in run.layers) for run in report.runs)
    return f"({most} folded nodes)"


def _panel(axes: Axes, pieces: Sequence[Piece], values: list[list[int]], divisor: Fraction) -> None:
    """The bars of one panel; ends are sums of whole numbers, so that they are those of the report."""
    start = [0] * len(values[0]) if values else []
    for piece, lengths in zip(pieces, values, strict=True):
        axes.barh(
            range(len(lengths)),
            [float(one / divisor) for one in lengths],
            left=[float(one / divisor) for one in start],
            height=0.78,
            color=piece.colour,
            edgecolor=piece.edge or "none",
            linewidth=0.3,
            hatch=piece.hatch or None,
            label=piece.label,
        )
        start = [one + more for one, more in zip(start, lengths, strict=True)]


def _marked(axes: Axes, marks: list[int], divisor: Fraction, label: str) -> None:
    """A line across the row at each value that is known."""
    places = [(float(one / divisor), row) for row, one in enumerate(marks) if one]
    if places:
        xs, rows = zip(*places, strict=True)
        axes.plot(xs, rows, marker="|", linestyle="", markersize=8, color=INK, label=label)


def _short(name: str) -> str:
    """A name with its middle left out where it is very long."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2 - 2]}...{name[-(_LONGEST // 2 - 1) :]}"
