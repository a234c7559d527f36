"""Tables of DRAM traffic beside its lower bound: per layer, and against the size of the buffer."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from energysim.report.csv_form import csv_text
from energysim.report.json_form import SCHEMA_VERSION, dump
from energysim.report.scales import scale_for
from energysim.report.tables import Column, cell_text, github, markdown_text, plain
from energysim.report.totals import Totals, grouped

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["bound_records", "render_bounds", "render_records"]

_NOTE = (
    "bound: the larger of compulsory traffic (every tensor once) and "
    "2 X sqrt(w_W w_I w_O / S) - 2 S with X = sum of 1/sqrt(t) over the products"
)


_LARGER = (
    "larger space: parts of tensors that stay on chip, and bands of the image in which nothing is read "
    "twice, are searched as well (rules overlap=both-axes, residence=uneven)"
)


def bound_records(report: Report, larger: Report | None = None) -> list[dict[str, Any]]:
    """Return a record per scheme and layer of the original network with multiply-adds [bit].

    ``limit`` says what the bound is: ``compulsory`` or ``capacity``. With the estimate of the same in
    the larger space of mappings, ``larger_dram_bits`` and ``larger_over_bound`` follow.
    """
    found = []
    for number, run in enumerate(report.runs):
        more = None if larger is None else grouped(larger.runs[number], lambda row: row.origin)
        for name, sums in grouped(run, lambda row: row.origin).items():
            if sums.macs:
                found.append(_record(run.scheme, name, sums, None if more is None else more[name]))
    return found


def _record(scheme: str, layer: str, sums: Totals, larger: Totals | None) -> dict[str, Any]:
    record = {
        "scheme": scheme,
        "layer": layer,
        "macs": sums.macs,
        "compulsory_bits": sums.compulsory_bits,
        "dram_bound_bits": sums.dram_bound_bits,
        "limit": "capacity" if sums.dram_bound_bits > sums.compulsory_bits else "compulsory",
        "dram_bits": sums.total_dram_bits,
        "dram_over_bound": _over(sums.total_dram_bits, sums.dram_bound_bits),
    }
    if larger is not None:
        record["larger_dram_bits"] = larger.total_dram_bits
        record["larger_over_bound"] = _over(larger.total_dram_bits, sums.dram_bound_bits)
    return record


def _over(bits: int | None, bound: int | None) -> float | None:
    return None if not bits or not bound else round(float(Fraction(bits, bound)), 6)


def render_bounds(report: Report, form: str, larger: Report | None = None) -> str:
    """Return the layers of a report beside their bounds as table, markdown, csv or json text.

    ``larger`` is the estimate of the same in the larger space of mappings, whose columns follow.
    """
    setup = report.setup
    title = (
        f"{setup.model} {setup.input}, batch {setup.batch}, on {setup.hardware}, mappings for "
        f"{setup.objective}: DRAM traffic and the least that any mapping needs"
    )
    records = bound_records(report, larger)
    total = []
    for scheme in report.schemes:
        more = None if larger is None else larger.totals(scheme, "mac")
        total.append({**_record(scheme, "all MAC layers", report.totals(scheme, "mac"), more), "limit": ""})
    return render_records(title, records, form, total, notes=(_NOTE,) if larger is None else (_NOTE, _LARGER))


def render_records(
    title: str,
    records: Sequence[dict[str, Any]],
    form: str,
    total: Sequence[dict[str, Any]] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return records of traffic as text; ``total`` are rows for people only, set apart by a line."""
    if form == "csv":
        return csv_text(records)
    if form == "json":
        return "".join(dump({"schema_version": SCHEMA_VERSION, "title": title, "rows": list(records)})) + "\n"
    rows = [*records, *total]
    rules = [len(records)] if total else []
    columns = [_column(name, [row[name] for row in rows]) for name in rows[0]] if rows else []
    if form == "markdown":
        return f"## {markdown_text(title)}\n\n{github(columns)}\n"
    body = plain(columns, rules) if columns else "no layer multiplies"
    return "\n".join([title, "", body, "", *notes]).rstrip() + "\n"


_TITLES = {
    "macs": "MACs",
    "capacity_bits": "buffer",
    "compulsory_bits": "compulsory",
    "dram_bound_bits": "bound",
    "dram_bits": "DRAM",
    "dram_over_bound": "DRAM / bound",
    "larger_dram_bits": "larger space",
    "larger_over_bound": "/ bound",
}


def _column(name: str, values: Sequence[Any]) -> Column:
    title = _TITLES.get(name, name)
    if name == "capacity_bits":
        return Column(f"{title} [KiB]", tuple(f"{value / 8192:g}" for value in values))
    if name.endswith("_over_bound"):
        return Column(title, tuple("-" if value is None else f"{value:.3f}" for value in values))
    if name.endswith("_bits") or name == "macs":
        scale = scale_for([value or 0 for value in values], "bit" if name != "macs" else "")
        head = f"{title} [{scale.unit}]" if scale.unit else title
        return Column(head, tuple("-" if value is None else scale.show(value) for value in values))
    return Column(title, tuple(cell_text(value) for value in values), left=True)
