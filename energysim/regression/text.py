"""Checks and comparisons for people: a page of text or markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from energysim.regression.baseline import Baseline
from energysim.regression.check import CheckResult
from energysim.regression.compare import Change, Comparison
from energysim.regression.counts import UNIT_COSTS, columns_of, sums
from energysim.regression.words import (
    causes,
    change_text,
    grouped,
    percent_text,
    value_text,
    verdict,
    whole_verdict,
)
from energysim.report.csv_form import csv_text
from energysim.report.layout import Page, Table
from energysim.report.tables import Column, cell_text

__all__ = ["check_text", "csv_of", "diff_text", "shown"]


def check_text(results: Sequence[CheckResult], markdown: bool = False, top: int = 10) -> str:
    """Return what a check found: a line per baseline, then the largest changes of each that moved."""
    notes: list[str] = []
    tables: list[Table] = []
    heading = [(str(result.path), _result(result)) for result in results]
    for result in results:
        found = result.comparison
        if found is None:
            notes.append(result.error)
            continue
        tables += _tables(str(result.path), found, top)
        several = f"{result.path}: " if len(results) > 1 else ""
        notes += [f"{several}{sentence}" for sentence in _sentences(found, top)]
        if found.changes or found.inputs:
            notes.append(f"{several}if this is meant: {_update(result.path, found)}")
    return Page(whole_verdict(results), heading, tables, notes).render(markdown)


def _update(path: Path, found: Comparison) -> str:
    if found.old.recipe is None:
        return "pytest --energy-update"
    return f"energysim baseline update {path}"


def _result(result: CheckResult) -> str:
    found = result.comparison
    return "cannot be checked" if found is None else f"{found.old.title}: {verdict(found)}"


def diff_text(found: Comparison, names: tuple[str, str], markdown: bool = False, top: int = 10) -> str:
    """Return what two files differ in."""
    heading = [(name, each.title) for name, each in zip(names, (found.old, found.new), strict=True)]
    page = Page(f"{names[0]} against {names[1]}: {verdict(found)}", heading, [], _sentences(found, top))
    page.tables.extend(_tables("", found, top, found.moved))
    return page.render(markdown)


def _sentences(found: Comparison, top: int) -> list[str]:
    told = list(causes(found))
    told += [f"whole network: {change_text(change)}" for change in found.totals]
    hidden = len(grouped(found.failing or found.moved, len(found.old.table))) - top
    return [*told, *([f"{hidden} more changes: --top {hidden + top} shows all"] if hidden > 0 else [])]


def _tables(title: str, found: Comparison, top: int, changes: Sequence[Change] | None = None) -> list[Table]:
    some = grouped(found.failing if changes is None else changes, len(found.old.table))[:top]
    if not some:
        return []
    columns = [
        _column("scheme", [change.scheme for change in some]),
        _column("layer", [change.layer for change in some]),
        _column("level", [change.level or "-" for change in some]),
        _column("quantity", [change.quantity.removesuffix("_aj") for change in some]),
        Column("old", tuple(value_text(change.column, change.old) for change in some)),
        Column("new", tuple(value_text(change.column, change.new) for change in some)),
        Column("change", tuple(percent_text(change) for change in some)),
    ]
    return [Table(title, columns)]


def _column(title: str, texts: list[str]) -> Column:
    return Column(title, tuple(map(cell_text, texts)), left=True)


def shown(baseline: Baseline, name: str, markdown: bool = False) -> str:
    """Return what a baseline holds: what it was made from, and its sums."""
    heading = [
        (f"{section} {key}", value)
        for section, values in baseline.inputs.items()
        if section != "constants"
        for key, value in values.items()
    ]
    if baseline.recipe is not None:
        heading.append(("made by", baseline.recipe.command(name)))
    heading.append(("made with", f"energysim {baseline.made_with}"))
    if UNIT_COSTS in baseline.table:
        constants = baseline.inputs.get("constants", {})
        columns = [_column("constant", list(constants)), _column("value", list(constants.values()))]
        return Page(f"{name}: {baseline.title}", heading, [Table("", columns)], []).render(markdown)
    totals = [sums(layers) for layers in baseline.table.values()]
    columns = [_column("scheme", list(baseline.table))]
    columns.append(Column("layers", tuple(str(len(layers)) for layers in baseline.table.values())))
    for quantity in ("macs", "weight_bits", "side_bits", "dram.bits", "cycles"):
        columns.append(Column(quantity, tuple(value_text(quantity, t.get(quantity, 0)) for t in totals)))
    energies = [sum(v for c, v in t.items() if c.endswith(".energy_aj")) for t in totals]
    columns.append(Column("energy", tuple(value_text("energy_aj", energy) for energy in energies)))
    return Page(f"{name}: {baseline.title}", heading, [Table("", columns)], []).render(markdown)


def csv_of(baseline: Baseline) -> str:
    """Return all numbers of a baseline: a row per scheme and layer."""
    columns = columns_of(baseline.table)
    return csv_text(
        [
            {"scheme": scheme, "layer": layer, **{column: cells.get(column, 0) for column in columns}}
            for scheme, layers in baseline.table.items()
            for layer, cells in layers.items()
        ]
    )
