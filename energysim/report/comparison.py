"""Schemes beside the first one: values and the factors by which they shrank."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from energysim.errors import UsageError
from energysim.report.json_form import SCHEMA_VERSION, dump
from energysim.report.rows import PARTS
from energysim.report.totals import Totals, totals
from energysim.units import engineering, pj_decimal

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["records", "render"]

_QUANTITIES = ("macs", "weight_bits", "dram_bits", "buffer_bits", "energy_pj", "cycles")


def records(report: Report, by: str = "part") -> list[dict[str, Any]]:
    """Return one record per part (or layer) and scheme.

    Each quantity has its value and, as ``<quantity>_factor``, reference / value rounded to six
    significant digits (None where the value is 0). ``weight_bits`` includes side information.
    """
    found = []
    if by == "part":
        names: list[tuple[str, str | None]] = [(title, part) for part, title in PARTS.items()] + [
            ("all", None)
        ]
        rows = [(name, [report.totals(s, part) for s in report.schemes]) for name, part in names]
        rows = [(name, sums) for name, sums in rows if any(s.cycles for s in sums)]
    else:
        origins = list(
            dict.fromkeys(r.origin for run in report.runs for r in run.layers if r.folded_into is None)
        )
        rows = [
            (o, [totals(run, lambda r, o=o: r.origin == o) for run in report.runs])  # type: ignore[misc]
            for o in origins
        ]
    for name, sums in rows:
        base = _values(sums[0])
        for scheme, one in zip(report.schemes, sums, strict=True):
            record: dict[str, Any] = {by: name, "scheme": scheme}
            for quantity, value in _values(one).items():
                record[quantity] = pj_decimal(value) if quantity == "energy_pj" else value
                record[f"{quantity}_factor"] = float(f"{base[quantity] / value:.6g}") if value else None
            found.append(record)
    return found


def _values(sums: Totals) -> dict[str, int]:
    stored = sums.weight_bits + sums.side_bits
    numbers = (sums.macs, stored, sums.total_dram_bits, sums.buffer_bits, sums.total_energy_aj, sums.cycles)
    return dict(zip(_QUANTITIES, numbers, strict=True))


def render(report: Report, form: str, by: str = "part") -> str:
    """Return the comparison as table, markdown, csv or json text."""
    rows = records(report, by)
    if form == "json":
        data = {
            "schema_version": SCHEMA_VERSION,
            "model": report.setup.model,
            "hardware": report.setup.hardware,
            "hardware_digest": report.setup.hardware_digest,
            "reference": report.schemes[0],
            "batch": report.setup.batch,
            "rows": rows,
        }
        return "".join(dump(data)) + "\n"
    if form == "csv":
        file = io.StringIO()
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return file.getvalue()
    if form not in ("table", "markdown"):
        raise UsageError(f"unknown format {form!r} (table, csv, json, markdown)")
    header = [by, "scheme", "MACs", "weights", "DRAM", "buffer", "energy", "cycles"]
    lines = [[row[by], row["scheme"], *(_cell(row, q) for q in _QUANTITIES)] for row in rows]
    setup = report.setup
    title = (
        f"{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}; "
        f"in brackets the factor against {report.schemes[0]}"
    )
    table = tabulate(
        lines,
        header,
        tablefmt="github" if markdown(form) else "simple",
        colalign=["left", "left", *["right"] * len(_QUANTITIES)],
        disable_numparse=True,
    )
    return f"{title}\n\n{table}\n"


def markdown(form: str) -> bool:
    """Whether a format is markdown."""
    return form == "markdown"


def _cell(row: dict[str, Any], quantity: str) -> str:
    value, factor = row[quantity], row[f"{quantity}_factor"]
    if quantity == "energy_pj":
        text = engineering(Fraction(value) / 10**12, "J")
    else:
        text = engineering(value, "bit" if quantity.endswith("_bits") else "")
    return text if factor is None else f"{text} ({factor:.3g}x)"
