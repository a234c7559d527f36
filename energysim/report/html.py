"""The report in a notebook: one compact table and one strip of bars, without any configuration."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from energysim.report.totals import LEVELS
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["COLOURS", "summary"]

#: One colour per level, everywhere (Okabe and Ito, 2008: distinguishable with colour-blindness).
COLOURS = {
    "mac": "#E69F00",
    "register": "#56B4E9",
    "buffer": "#009E73",
    "dram": "#0072B2",
    "vector": "#CC79A7",
}


def summary(report: Report) -> str:
    """Return an HTML fragment."""
    setup = report.setup
    heads = ("scheme", "MACs", "weights", "DRAM", "cycles", *LEVELS, "energy", "")
    largest = max(report.totals(s).total_energy_aj for s in report.schemes) or 1
    rows = []
    for scheme in report.schemes:
        sums = report.totals(scheme)
        cells = [
            escape(scheme),
            engineering(sums.macs),
            engineering(sums.weight_bits + sums.side_bits, "bit"),
            engineering(sums.total_dram_bits, "bit"),
            engineering(sums.cycles),
            *(_joules(sums.energy_aj[level]) for level in LEVELS),
            _joules(sums.total_energy_aj),
            _bar({level: sums.energy_aj[level] / largest for level in LEVELS}),
        ]
        rows.append("<tr>" + "".join(f'<td style="text-align:right">{c}</td>' for c in cells) + "</tr>")
    title = f"{escape(setup.model)} {setup.input}, batch {setup.batch}, on {escape(setup.hardware)}"
    head = "".join(f"<th>{h}</th>" for h in heads)
    return (
        f"<div><b>{title}</b><br><small>{escape(setup.zeros)}</small>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _joules(energy_aj: int) -> str:
    return engineering(energy_aj / 10**18, "J")


def _bar(shares: dict[str, float]) -> str:
    parts = "".join(
        f'<span title="{level}" style="display:inline-block;height:0.9em;width:{100 * share:.2f}%;'
        f'background:{COLOURS[level]}"></span>'
        for level, share in shares.items()
    )
    return f'<div style="width:16em;text-align:left;white-space:nowrap;font-size:1em">{parts}</div>'
