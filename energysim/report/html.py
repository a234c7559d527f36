"""The report in a notebook: one compact table and one strip of bars, without any configuration."""

from __future__ import annotations

from fractions import Fraction
from html import escape
from typing import TYPE_CHECKING

from energysim.report.colours import colours
from energysim.report.scales import ATTO, joules
from energysim.report.totals import LEVELS, own_levels
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["summary"]


def summary(report: Report) -> str:
    """Return an HTML fragment: totals per scheme, energy by level as numbers and as a bar.

    It takes the colours of text and ground from the notebook, dark or light.
    """
    setup = report.setup
    sums = {scheme: report.totals(scheme) for scheme in report.schemes}
    levels = [*LEVELS, *own_levels(report.runs)]
    used = [level for level in levels if any(one.energy_aj.get(level) for one in sums.values())]
    colour = colours(levels)
    largest = max(one.total_energy_aj for one in sums.values())
    rows = []
    for scheme, one in sums.items():
        cells = [
            joules(one.total_energy_aj * ATTO),
            *(joules(one.energy_aj.get(level, 0) * ATTO) for level in used),
            engineering(one.macs),
            engineering(one.stored_weight_bits, "bit"),
            engineering(one.total_dram_bits, "bit"),
            engineering(one.cycles),
        ]
        rows.append(
            f'<tr><td style="text-align:left;min-width:10em;overflow-wrap:anywhere">{escape(scheme)}</td>'
            f"<td>{_bar(one.energy_aj, largest, {level: colour[level] for level in used})}</td>"
            + "".join(f'<td style="text-align:right;white-space:nowrap">{cell}</td>' for cell in cells)
            + "</tr>"
        )
    keys = [f"{_key(colour[level])}{escape(level)}" for level in used]
    heads = ("energy", *keys, "MACs", "weights", "DRAM", "cycles")
    titles = "".join(f'<th style="text-align:right;white-space:nowrap">{head}</th>' for head in heads)
    title = f"{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}"
    return (
        f'<div style="overflow-x:auto"><b>{escape(title)}</b><br/><small>{escape(setup.zeros)}</small>'
        f'<table><thead><tr><th style="text-align:left">scheme</th><th></th>{titles}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _key(colour: str) -> str:
    """A small square of a colour; its outline is seen on dark ground and on light."""
    return (
        f'<span style="display:inline-block;width:0.7em;height:0.7em;margin-right:0.3em;'
        f'background:{colour};outline:1px solid #888"></span>'
    )


def _bar(energy_aj: dict[str, int], largest: int, shown: dict[str, str]) -> str:
    """A strip as long as its share of the largest energy, a piece per level in its colour."""
    pieces = ""
    for level, colour in shown.items():
        share = float(Fraction(100 * energy_aj.get(level, 0), largest or 1))
        pieces += (
            f'<span title="{escape(level)}" style="display:inline-block;height:0.9em;'
            f'width:{share:.2f}%;background:{colour}"></span>'
        )
    return f'<div style="width:16em;text-align:left;white-space:nowrap;font-size:1em">{pieces}</div>'
