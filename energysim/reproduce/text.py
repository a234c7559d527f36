"""Tables of comparisons: for people, and as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from textwrap import fill
from typing import Any

from energysim.report.csv_form import csv_text
from energysim.report.json_form import SCHEMA_VERSION, dump
from energysim.report.tables import Column, github, markdown_text, plain
from energysim.reproduce.facts import Fact
from energysim.reproduce.tables import Comparison, Table, compared, mean_errors

__all__ = ["render"]

_HEAD = "Published numbers against ours"
_WIDTH = 100


def render(tables: Sequence[Table], facts: Mapping[str, Fact], form: str) -> str:
    """Return tables beside the published values.

    Parameters
    ----------
    tables : sequence of Table
    facts : mapping of str to Fact
    form : {"table", "markdown", "csv", "json"}
    """
    if form in ("csv", "json"):
        records = [record for table in tables for record in _records(table, facts)]
        if form == "csv":
            return csv_text(records)
        return "".join(dump({"schema_version": SCHEMA_VERSION, "title": _HEAD, "rows": records})) + "\n"
    parts = [_section(table, facts, markdown=form == "markdown") for table in tables]
    if form == "markdown":
        parts.insert(0, f"# {_HEAD}\n\nWritten by `energysim reproduce -o reports/reproduction.md`.\n")
    return "\n".join(parts)


def _section(table: Table, facts: Mapping[str, Fact], *, markdown: bool) -> str:
    rows = compared(table, facts)
    notes = (*table.notes, *_known(rows))
    shown = [_columns(rows), _score(rows)] if any(row.scored for row in rows) else [_columns(rows)]
    if markdown:
        head, lines = f"## {markdown_text(table.title)}", [f"- {markdown_text(note)}" for note in notes]
        return "\n\n".join((head, "\n".join(lines), *(github(columns) for columns in shown))) + "\n"
    lines = [fill(note, _WIDTH, subsequent_indent="  ") for note in notes]
    return "\n\n".join((table.title, *(plain(columns) for columns in shown), "\n".join(lines))) + "\n"


def _columns(rows: Sequence[Comparison]) -> list[Column]:
    facts = [row.fact for row in rows]
    columns = [
        Column("item", tuple(fact.item for fact in facts), left=True),
        Column("quantity", tuple(row.quantity for row in rows), left=True),
        Column("unit", tuple(fact.unit for fact in facts), left=True),
        Column("published", tuple(_given(fact.value) for fact in facts)),
        Column("ours", tuple(_number(row.result.ours) for row in rows)),
        Column("error", tuple(_percent(row.error) for row in rows)),
    ]
    if any(row.result.free is not None for row in rows):
        free = [row.result.free for row in rows]
        columns.append(Column("free", tuple("" if value is None else _number(value) for value in free)))
    if any(row.result.unscored for row in rows):
        columns.append(Column("not scored", tuple(row.result.unscored for row in rows), left=True))
    return columns


def _score(rows: Sequence[Comparison]) -> list[Column]:
    found = mean_errors(tuple(rows))
    worst = [f"{row.fact.item} {_percent(row.error)}" for _, _, row in found.values()]
    return [
        Column("score", tuple(found), left=True),
        Column("rows", tuple(str(count) for count, _, _ in found.values())),
        Column("mean error", tuple(_percent(mean).lstrip("+") for _, mean, _ in found.values())),
        Column("worst row", tuple(worst), left=True),
    ]


def _known(rows: Sequence[Comparison]) -> list[str]:
    """Where the published values are from, and how they are known; each once."""
    found: dict[str, list[str]] = {}
    for row in rows:
        places = found.setdefault(row.fact.how_known, [])
        if row.fact.source and row.fact.source not in places:
            places.append(row.fact.source)
    return [f"published, {known}: {'; '.join(places)}" for known, places in found.items() if places]


def _records(table: Table, facts: Mapping[str, Fact]) -> list[dict[str, Any]]:
    return [
        {
            "source": table.name,
            "id": row.fact.id,
            "item": row.fact.item,
            "quantity": row.quantity,
            "unit": row.fact.unit,
            "published": None if row.fact.value is None else float(row.fact.value),
            "ours": float(row.result.ours),
            "error": None if row.error is None else float(row.error),
            "free": None if row.result.free is None else float(row.result.free),
            "scored": row.scored,
            "not_scored": row.result.unscored,
            "how_known": row.fact.how_known,
        }
        for row in compared(table, facts)
    ]


def _number(value: Fraction) -> str:
    """Four digits, or all of a whole number; never a power of ten."""
    if value.denominator == 1 and abs(value) >= 1000:
        return str(value.numerator)
    digits = 4
    while digits and abs(value) >= 10 ** (5 - digits):
        digits -= 1
    text = f"{float(value):.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _given(value: Fraction | None) -> str:
    """All digits, as published."""
    return "" if value is None else f"{float(value):.10g}"


def _percent(value: Fraction | None) -> str:
    return "" if value is None else f"{float(100 * value):+.1f} %"
