"""Checks and comparisons for people: a page of text or markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from energysim.regression.baseline import Baseline
from energysim.regression.checking import CheckResult
from energysim.regression.comparison import Change, Comparison
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


#: So many baselines are listed even if there is nothing to tell of them.
_LISTED = 12
#: Of so many that moved the changes are shown.
_DETAILED = 5


def check_text(results: Sequence[CheckResult], markdown: bool = False, top: int = 10) -> str:
    """Return what a check found: a line per baseline, then the largest changes of those that moved.

    Of many baselines only those are listed of which there is something to tell. Those that fail come
    first, of them unit costs: they explain what moved on the same hardware.
    """
    some = [result for result in results if len(results) <= _LISTED or _eventful(result)]
    changed = [(r.path, r.comparison) for r in results if r.comparison is not None and _eventful(r)]
    changed.sort(key=lambda each: (each[1].passed, bool(each[1].old.network)))
    units = {found.old.hardware: path for path, found in changed if not found.old.network and found.changes}
    tables: list[Table] = []
    notes = [result.error for result in results if result.comparison is None]
    for path, found in changed[:_DETAILED]:
        tables += _tables(str(path), found.failing, found, top)
        several = f"{path}: " if len(results) > 1 else ""
        sentences = _sentences(found, found.failing, top)
        if found.old.network and found.old.hardware in units:
            sentences.append(f"unit costs of {found.old.hardware} moved as well: {units[found.old.hardware]}")
        sentences.append(f"if this is meant: {_update(path, found)}")
        notes += [f"{several}{sentence}" for sentence in sentences]
    if len(changed) > _DETAILED:
        notes.append(f"{len(changed) - _DETAILED} more: check one alone to see what moved in it")
    heading = [(str(result.path), _result(result)) for result in some]
    return Page(whole_verdict(results), heading, tables, notes).render(markdown)


def _eventful(result: CheckResult) -> bool:
    found = result.comparison
    return found is None or bool(found.changes or found.inputs or not found.passed)


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
    title = f"{names[0]} against {names[1]}: {verdict(found)}"
    tables = _tables("", found.moved, found, top)
    return Page(title, heading, tables, _sentences(found, found.moved, top)).render(markdown)


def _sentences(found: Comparison, shown: Sequence[Change], top: int) -> list[str]:
    told = list(causes(found))
    told += [f"whole network: {change_text(change)}" for change in found.totals]
    hidden = len(grouped(shown, len(found.old.table))) - top
    return [*told, *([f"{hidden} more changes: --top {hidden + top} shows all"] if hidden > 0 else [])]


def _tables(title: str, changes: Sequence[Change], found: Comparison, top: int) -> list[Table]:
    some = grouped(changes, len(found.old.table))[:top]
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
        heading.append(("made by", baseline.recipe.seen_from(Path(name).parent).command(name)))
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
