"""Reports: tables, comparison, text, files."""

from energysim.report.report import FORMATS, Report
from energysim.report.rows import PARTS, AccessRow, ConstantUse, LayerRow, Run, Setup
from energysim.report.totals import LEVELS, Totals, totals

__all__ = [
    "FORMATS",
    "LEVELS",
    "PARTS",
    "AccessRow",
    "ConstantUse",
    "LayerRow",
    "Report",
    "Run",
    "Setup",
    "Totals",
    "totals",
]
