"""The table of mappings onto a hierarchy: who waits for whom, and how good each mapping is."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from energysim.report.layout import Table
from energysim.report.rows import LayerRow
from energysim.report.tables import Column, cell_text
from energysim.units import engineering

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["mapping_tables"]

_TITLES = ("layer", "utilisation", "waiting", "limited by", "space", "proof", "mapping")
_LEFT = ("layer", "limited by", "proof", "mapping")


def mapping_tables(report: Report) -> Iterator[Table]:
    """Yield a table per scheme, if the cost model is ``hierarchy``."""
    if report.setup.cost_model != "hierarchy":
        return
    for run in report.runs:
        rows = [_cells(row) for row in run.layers if row.mapping]
        if rows:
            name = f" of {run.scheme}" if len(report.runs) > 1 else ""
            cells = zip(*rows, strict=True)
            columns = [Column(t, tuple(c), left=t in _LEFT) for t, c in zip(_TITLES, cells, strict=True)]
            yield Table(f"Mappings{name}: multipliers in use, cycles they wait for memories", columns)


def _cells(row: LayerRow) -> tuple[str, ...]:
    waiting = Fraction(row.stall_cycles, row.cycles) if row.cycles else Fraction(0)
    space = engineering(row.mappings) if row.mappings else ""
    return (
        cell_text(row.node),
        _percent(row.utilisation),
        _percent(waiting) if waiting else "-",
        row.bound,
        space,
        _proof(row),
        row.mapping,
    )


def _proof(row: LayerRow) -> str:
    if not row.mappings:
        return "given"
    if row.optimal:
        return f"optimal; energy: {_percent(row.gap)} at most to save" if row.gap else "optimal"
    return f"{_percent(row.gap)} at most to save"


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.3g} %"
