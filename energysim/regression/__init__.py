"""The gate: numbers kept in files, recomputed and compared.

A :class:`Baseline` holds what an estimate counted, layer by layer and level by level, what it was
made with (digests of the inputs and of the engine), and how to make it anew. :func:`check` recomputes
it and says which numbers moved, and whether the inputs did it or the engine.
"""

from __future__ import annotations

from energysim.regression.baseline import Baseline
from energysim.regression.baseline_json import SCHEMA, read_baseline, write_baseline
from energysim.regression.checking import CheckResult, check, check_all
from energysim.regression.comparison import Change, Comparison, compare
from energysim.regression.files import baseline_files, read_either
from energysim.regression.recipe import Recipe
from energysim.regression.taking import of_report, take
from energysim.regression.tolerances import Tolerance, parse_tolerance

__all__ = [
    "SCHEMA",
    "Baseline",
    "Change",
    "CheckResult",
    "Comparison",
    "Recipe",
    "Tolerance",
    "baseline_files",
    "check",
    "check_all",
    "compare",
    "of_report",
    "parse_tolerance",
    "read_baseline",
    "read_either",
    "take",
    "write_baseline",
]
