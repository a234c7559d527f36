"""Schemes beside a reference: values, and the factors by which they shrank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError, near_miss
from energysim.report.blocks import part_titles
from energysim.report.csv_form import csv_text
from energysim.report.frames import attributes, typed
from energysim.report.json_form import SCHEMA_VERSION, dump
from energysim.report.rows import PARTS, LayerRow
from energysim.report.scales import ATTO, factor, scale_for
from energysim.report.tables import Column, cell_text, github, markdown_text, plain
from energysim.report.totals import Totals, grouped, totals
from energysim.units import pj_decimal

if TYPE_CHECKING:
    import pandas as pd

    from energysim.report.report import Report

__all__ = [
    "GROUPS",
    "QUANTITIES",
    "check_column",
    "check_groups",
    "frame",
    "in_order",
    "quantities",
    "records",
    "render",
]

#: Quantity -> its exact value; energies in attojoules.
QUANTITIES: dict[str, Callable[[Totals], int]] = {
    "macs": lambda t: t.macs,
    "effective_macs": lambda t: t.effective_macs,
    "weight_bits": lambda t: t.weight_bits,
    "stored_weight_bits": lambda t: t.stored_weight_bits,
    "dram_bits": lambda t: t.total_dram_bits,
    "buffer_bits": lambda t: t.buffer_bits,
    "energy_pj": lambda t: t.total_energy_aj,
    "cycles": lambda t: t.cycles,
    "float_macs": lambda t: t.float_macs,
    "additions": lambda t: t.additions,
    "gathers": lambda t: t.gathers,
    "expansion_macs": lambda t: t.expansion_macs,
    "load_bits": lambda t: t.load_bits,
    "unfused_dram_bits": lambda t: t.unfused_dram_bits,
    "unfused_energy_pj": lambda t: t.unfused_energy_aj,
}

_NAMES = [name for quantity in QUANTITIES for name in (quantity, f"{quantity}_factor")]

#: Quantity -> heading and unit of the table for people, where some scheme has any of it.
_MORE = {
    "float_macs": ("in floating point", ""),
    "additions": ("additions only", ""),
    "gathers": ("gathered", ""),
    "expansion_macs": ("expansion", ""),
    "load_bits": ("DRAM at load", "bit"),
    "unfused_dram_bits": ("DRAM unfused", "bit"),
    "unfused_energy_pj": ("energy unfused", "J"),
}
#: Quantity -> heading and unit of the table for people.
_SHOWN = {
    "macs": ("MACs", ""),
    "stored_weight_bits": ("weights", "bit"),
    "dram_bits": ("DRAM", "bit"),
    "buffer_bits": ("buffer", "bit"),
    "energy_pj": ("energy", "J"),
    "cycles": ("cycles", ""),
}

#: What is compared -> the name of a row's group.
GROUPS: dict[str, Callable[[LayerRow], str]] = {
    "layer": lambda row: row.origin,
    "part": lambda row: row.part,
    "network": lambda row: "all",
}


def check_groups(by: str) -> None:
    """Raise UsageError unless sums can be compared by this."""
    if by not in GROUPS:
        raise UsageError(f"compare by {by!r}{near_miss(by, GROUPS)} ({', '.join(GROUPS)})")


def _sums(report: Report, by: str) -> list[tuple[str, list[Totals]]]:
    """The sums of every scheme, per layer of the original network or per part, and of all layers."""
    check_groups(by)
    runs = [grouped(run, GROUPS[by]) for run in report.runs]
    nothing = totals(report.runs[0], lambda row: False)
    if by == "network":
        names = []
    elif by == "layer":
        names = list(dict.fromkeys(name for run in runs for name in run))
    else:
        names = [part for part in PARTS if any(part in run for run in runs)]
    found = [(name, [run.get(name, nothing) for run in runs]) for name in names]
    return [*found, ("all", [report.totals(scheme) for scheme in report.schemes])]


def records(report: Report, by: str = "part", reference: str | None = None) -> list[dict[str, Any]]:
    """Return one record per part (or layer of the original network) and scheme.

    Each quantity has its value and, as ``<quantity>_factor``, reference / value rounded to six
    significant digits (None where the value is 0). ``stored_weight_bits`` includes side information.
    """
    first = report.schemes.index(report.run(reference).scheme) if reference else 0
    found = []
    rows = _sums(report, by)
    for name, sums in rows[:-1] if by == "layer" else rows:  # a layer may be called "all"
        for scheme, one in zip(report.schemes, sums, strict=True):
            found.append({by: name, "scheme": scheme, **quantities(one, sums[first])})
    return found


def quantities(one: Totals, base: Totals | None) -> dict[str, Any]:
    """Return the value of each quantity, and its factor against a reference; None where there is none."""
    found: dict[str, Any] = {}
    for quantity, value in QUANTITIES.items():
        own = value(one)
        found[quantity] = pj_decimal(own) if quantity.endswith("energy_pj") else own
        factor = float(f"{value(base) / own:.6g}") if own and base is not None else None
        found[f"{quantity}_factor"] = factor
    return found


def frame(report: Report, by: str = "layer", reference: str | None = None) -> pd.DataFrame:
    """Return :func:`records` as a frame."""
    found = records(report, by, reference)
    result = typed(found, "comparison", [by, "scheme", *_NAMES])
    result.attrs.update(attributes(report))
    return result


def render(report: Report, form: str, by: str = "part") -> str:
    """Return the comparison with the first scheme as table, markdown, csv or json text."""
    if form == "json":
        setup = report.setup
        data = {
            "schema_version": SCHEMA_VERSION,
            "model": setup.model,
            "hardware": setup.hardware,
            "hardware_digest": setup.hardware_digest,
            "reference": report.schemes[0],
            "batch": setup.batch,
            "rows": records(report, by),
            "skipped": [list(item) for item in report.skipped],
        }
        return "".join(dump(data)) + "\n"
    if form == "csv":
        return csv_text(records(report, by))
    if form not in ("table", "markdown"):
        raise UsageError(f"unknown format {form!r} (table, csv, json, markdown)")
    setup = report.setup
    title = (
        f"{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}; "
        f"factors against {report.schemes[0]}; weights with their side tables"
    )
    columns, rules = _table(report, by)
    told = [(cell_text(name), cell_text(why)) for name, why in report.skipped]
    if form == "markdown":
        skipped = "".join(f"- skipped: {markdown_text(name)}: {markdown_text(why)}\n" for name, why in told)
        return f"## {markdown_text(title)}\n\n{github(columns)}\n{skipped and chr(10)}{skipped}"
    skipped = "".join(f"skipped: {name}: {why}\n" for name, why in told)
    return f"{title}\n\n{plain(columns, rules)}\n{skipped and chr(10)}{skipped}"


def check_column(quantity: str) -> None:
    """Raise UsageError unless schemes can be sorted by this."""
    known = (*QUANTITIES, "scheme")
    if quantity not in known:
        hint = near_miss(quantity, known)
        raise UsageError(f"unknown column {quantity!r} to sort by{hint} ({', '.join(known)})")


def in_order(report: Report, quantity: str) -> Report:
    """Return a report with its schemes in ascending order of a total, the first one first.

    Raises
    ------
    UsageError
        If the quantity is none of a comparison.
    """
    check_column(quantity)
    first, *others = report.runs
    if quantity == "scheme":
        others.sort(key=lambda run: run.scheme)
    else:
        value = QUANTITIES[quantity]
        others.sort(key=lambda run: value(totals(run)))  # stable: equal ones keep their order
    return replace(report, runs=(first, *others))


def _present(report: Report) -> dict[str, tuple[str, str]]:
    """The further quantities that some scheme has any of, or has otherwise where nothing is fused."""
    sums = [totals(run) for run in report.runs]
    fused = {"unfused_dram_bits": "dram_bits", "unfused_energy_pj": "energy_pj"}
    found = {}
    for quantity, shown in _MORE.items():
        value = QUANTITIES[quantity]
        usual = QUANTITIES[fused[quantity]] if quantity in fused else lambda t: 0
        if any(value(one) != usual(one) for one in sums):
            found[quantity] = shown
    return found


def _table(report: Report, by: str) -> tuple[list[Column], list[int]]:
    """The columns, and the row before which a rule stands: layers that only run in place are left out."""
    count, titles = len(report.runs), part_titles(report)
    sums = [(name, group) for name, group in _sums(report, by) if any(one.total_dram_bits for one in group)]
    labels = [cell_text(titles.get(name, name)) if not i else "" for name, _ in sums for i in range(count)]
    columns = [
        Column(by, tuple(labels), left=True),
        Column("scheme", report.schemes * len(sums), left=True),
    ]
    for quantity, (title, unit) in (_SHOWN | _present(report)).items():
        value = QUANTITIES[quantity]
        values = [[value(one) for one in group] for _, group in sums]
        flat = [number for group in values for number in group]
        scale = scale_for(flat, unit, ATTO if unit == "J" else Fraction(1)).with_room_for(flat)
        shown = tuple(scale.show(number) for number in flat)
        factors = tuple(factor(g[0], number) if i else "" for g in values for i, number in enumerate(g))
        heading = f"{title} [{scale.unit}]" if scale.unit else title
        columns.append(Column("", shown, heading))
        if count > 1 and quantity in _SHOWN:
            columns.append(Column("factor", factors, heading))
    return columns, [(len(sums) - 1) * count]
