"""Rows for people: the levels and axes of a hierarchy."""

from __future__ import annotations

from collections.abc import Callable

from energysim.hardware.core import Constant
from energysim.hardware.hierarchy import DIMENSIONS, TENSORS, Hierarchy, SpatialAxis, TemporalLevel
from energysim.hardware.tables import capacity_text

__all__ = ["hierarchy_rows"]


def hierarchy_rows(hierarchy: Hierarchy, shown: Callable[[Constant], str]) -> list[tuple[str, str]]:
    """Return (property, text) rows, outermost first.

    Parameters
    ----------
    hierarchy : Hierarchy
    shown : callable
        A constant as text.
    """
    rows: list[tuple[str, str]] = [("multipliers", str(hierarchy.lanes))]
    for node in hierarchy.nodes:
        rows += _axis(node, shown) if isinstance(node, SpatialAxis) else _level(node, shown)
    if hierarchy.leakage is not None:
        rows.append(("leakage of a multiplier", f"{shown(hierarchy.leakage)} per cycle"))
    return rows + [(f"rule {name}", value) for name, value in hierarchy.rules]


def _loops(loops: str) -> str:
    if set(loops) == set(DIMENSIONS):
        return "any loops"
    return f"loops over {' '.join(loops)}" if loops else "no loops"


def _level(level: TemporalLevel, shown: Callable[[Constant], str]) -> list[tuple[str, str]]:
    size = "unbounded" if level.capacity_bits is None else capacity_text(level.capacity_bits)
    parts = [size, f"words of {level.word_bits} bit"]
    if level.partitions is not None:
        each = (f"{t} {capacity_text(getattr(level.partitions, t))}" for t in TENSORS)
        parts.append(f"parts: {', '.join(each)}")
    if level.double_buffered:
        parts.append("double buffered")
    parts += [f"without {t}" for t in level.bypass]
    parts.append(_loops(level.loops))
    energies = f"read {shown(level.read)}, fill {shown(level.fill)}, update {shown(level.update)}"
    rows = [(f"level {level.name}", "; ".join(parts)), (f"{level.name} energy per word", energies)]
    for kind in ("bandwidth", "read_bandwidth", "write_bandwidth"):
        limit = getattr(level, kind)
        if limit is not None:
            rows.append((f"{level.name} {kind.replace('_', ' ')}", shown(limit)))
    for tensor, rate in level.ramp_up:
        rows.append((f"{level.name} ramp-up", f"{tensor} arrive before work goes on, {shown(rate)}"))
    if level.leakage is not None:
        rows.append((f"{level.name} leakage", f"{shown(level.leakage)} per cycle"))
    return rows


def _axis(axis: SpatialAxis, shown: Callable[[Constant], str]) -> list[tuple[str, str]]:
    shared = f"shares {', '.join(axis.shared)}" if axis.shared else "shares nothing"
    parts = [f"{axis.size} places", _loops(axis.loops), shared]
    if axis.diagonal:
        parts.append("inputs also along diagonals")
    rows = [(f"axis {axis.name}", "; ".join(parts))]
    if axis.network is not None:
        rows.append((f"{axis.name} energy per word", f"{shown(axis.network)} ({axis.word_bits} bit)"))
    return rows
