"""Accuracy against energy, a point per scheme, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from energysim.errors import UsageError, near_miss
from energysim.report.accuracies import known_accuracies
from energysim.report.plots.canvas import INK, head, new_figure, plain_axes, settled, styled, wrapped
from energysim.report.plots.layer_bars import title_of
from energysim.report.scales import ATTO, scale_for
from energysim.report.tables import cell_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from energysim.report.report import Report

__all__ = ["Choice", "choices", "front", "plot_tradeoff"]

_FRONT, _BEHIND = "#0072B2", "#8A8A8A"
_LETTERS = 36  # of a line of the legend
_GLUE = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Choice:
    """One scheme: its energy for the whole batch [aJ], and its accuracy [%]."""

    scheme: str
    energy_aj: int
    accuracy: float


def choices(report: Report, accuracies: Mapping[str, float]) -> list[Choice]:
    """Return the schemes of a report whose accuracy is given, in order.

    Raises
    ------
    UsageError
        If an accuracy is of no scheme of the report, or no number from 0 to 100; or if none is given.
    """
    for scheme, value in accuracies.items():
        if scheme not in report.schemes:
            hint = near_miss(scheme, report.schemes)
            known = ", ".join(report.schemes)
            raise UsageError(f"an accuracy of {scheme!r}, which the report has not{hint} (it has {known})")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise UsageError(f"the accuracy of {scheme!r} is in percent, from 0 to 100, not {value!r}")
    if not accuracies:
        raise UsageError("accuracies are needed: scheme -> percent")
    return [
        Choice(scheme, report.totals(scheme).total_energy_aj, float(accuracies[scheme]))
        for scheme in report.schemes
        if scheme in accuracies
    ]


def front(found: list[Choice]) -> list[Choice]:
    """Return the choices that no other beats in both, by ascending energy.

    Of those with the same energy and the same accuracy all stay.
    """

    def beaten(one: Choice) -> bool:
        return any(
            other.energy_aj <= one.energy_aj
            and other.accuracy >= one.accuracy
            and (other.energy_aj, other.accuracy) != (one.energy_aj, one.accuracy)
            for other in found
        )

    return sorted((one for one in found if not beaten(one)), key=lambda one: (one.energy_aj, one.accuracy))


def plot_tradeoff(
    report: Report, accuracies: Mapping[str, float] | None = None, label: str = "accuracy [%]"
) -> Figure:
    """Return accuracy against energy per image.

    Parameters
    ----------
    report : Report
    accuracies : mapping of str to float, optional
        Scheme to percent, from 0 to 100. By default what was measured with the weights that ship with
        the model, or else what was published for the network; nothing is ever made up.
    label : str
        What the accuracies are, where they are given.

    Raises
    ------
    UsageError
        If none is known for the network and none is given, or one cannot be used.
    """
    source = ""
    if accuracies is None:
        known = known_accuracies(report)
        accuracies, label, source = known.percent, known.label, known.source
    found = choices(report, accuracies)
    best = front(found)
    missing = [scheme for scheme in report.schemes if scheme not in accuracies]
    batch = report.setup.batch
    per_image = [Fraction(one.energy_aj, batch) for one in found]
    scale = scale_for([math.ceil(value) for value in per_image], "J", ATTO)
    with styled():
        lines = sum(len(one.scheme) // _LETTERS + 1 for one in found)
        figure = new_figure(7.5, max(4.5, 1.8 + 0.19 * lines))
        axes = figure.subplots()
        xs = {one.scheme: float(x / scale.divisor) for one, x in zip(found, per_image, strict=True)}
        axes.step(
            [xs[one.scheme] for one in best],
            [one.accuracy for one in best],
            where="post",
            color=_FRONT,
            linewidth=1.2,
            zorder=1,
        )
        handles, names = [], []
        for number, one in enumerate(found, start=1):
            colour = _FRONT if one in best else _BEHIND
            place = xs[one.scheme], one.accuracy
            axes.plot(*place, marker="o", markersize=11, color=colour, linestyle="", zorder=2)
            axes.annotate(
                str(number), place, color="white", fontsize=7, ha="center", va="center_baseline", zorder=3
            )
            handles.append(Line2D([], [], marker="o", color=colour, linestyle="", markersize=7))
            name = f"{number}{_GLUE * 2}{cell_text(one.scheme)}, {one.accuracy:.2f}{_GLUE}%"
            names.append(wrapped(name, _LETTERS))
        axes.margins(0.08)
        axes.set_xlabel(f"energy per image [{scale.unit}]")
        axes.set_ylabel(label)
        plain_axes(axes, "both")
        handles.append(Line2D([], [], color=_FRONT, linewidth=1.2))
        names.append("Pareto front")
        figure.legend(handles, names, loc="outside right upper")
        head(figure, f"Accuracy against energy: {title_of(report)}", share=0.65)
        said = [f"accuracies: {source}"] if source else []
        if missing:
            said.append(f"no accuracy known: {', '.join(map(cell_text, missing))}")
        if said:
            text = "\n".join(wrapped(part, 110) for part in said)
            figure.supxlabel(text, x=0.01, ha="left", fontsize=6.5, color=INK)
        return settled(figure)
