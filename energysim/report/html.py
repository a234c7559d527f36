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
    """Return an HTML fragment: totals per scheme, energy by level as numbers and as a bar."""
    setup = report.setup
    sums = {scheme: report.totals(scheme) for scheme in report.schemes}
    levels = [*LEVELS, *own_levels(report.runs)]
    largest = max(one.total_energy_aj for one in sums.values())
    rows = []
    for scheme, one in sums.items():
        cells = [
            escape(scheme),
            engineering(one.macs),
            engineering(one.stored_weight_bits, "bit"),
            engineering(one.total_dram_bits, "bit"),
            engineering(one.cycles),
            *(joules(one.energy_aj.get(level, 0) * ATTO) for level in levels),
            joules(one.total_energy_aj * ATTO),
            _bar(one.energy_aj, largest, levels),
        ]
        rows.append("".join(f'<td style="text-align:right">{cell}</td>' for cell in cells))
    heads = ("scheme", "MACs", "weights", "DRAM", "cycles", *levels, "energy", "")
    title = f"{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}"
    return (
        f"<div><b>{escape(title)}</b><br/><small>{escape(setup.zeros)}</small>"
        f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table></div>"
    )


def _bar(energy_aj: dict[str, int], largest: int, levels: list[str]) -> str:
    """A strip as long as its share of the largest energy, a piece per level."""
    shares = {level: float(Fraction(100 * aj, largest or 1)) for level, aj in energy_aj.items()}
    pieces = "".join(
        f'<span title="{level}" style="display:inline-block;height:0.9em;'
        f'width:{shares.get(level, 0.0):.2f}%;background:{colour}"></span>'
        for level, colour in colours(levels).items()
    )
    return f'<div style="width:16em;text-align:left;white-space:nowrap;font-size:1em">{pieces}</div>'
