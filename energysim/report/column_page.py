"""The page of all columns, made from what the frames are built from."""

from __future__ import annotations

from collections.abc import Iterator

from energysim.report.columns import TABLES, ColumnSpec

__all__ = ["page"]

_HEAD = """\
# Columns

Every column of every frame. This page is generated from what the frames are built from
(`python -m energysim.report.column_page`), so it is complete.

Counts and energies are for the whole batch. Rows are in network order; no totals are stored as rows, but
for the rows `all` that a comparison by part or network is asked for. `frame.attrs` say where a frame comes
from: model, hardware and its digest, counting rules, batch.

## Types

| kind | type |
| --- | --- |
| text | the text type of pandas: `str`, before pandas 3 `object` |
| count | `int64`; past 64 bits Python integers (`object`): never unsigned, never rounded to a float |
| maybe count | `Int64`, which can be missing; else as count |
| real | `float64`: the exact value rounded once |
| flag | `bool` |

## To a file and back

`energysim.write_frame(frame, path)` writes any of these frames as `.csv`, `.json` or `.parquet`, and
`energysim.read_frame(path)` returns an equal frame, types included; it reads `estimate --format csv` too.
Parquet needs the extra `parquet`. In CSV a missing text is `NA` and any other missing value an empty field;
CSV does not hold `attrs`. In parquet a count past 64 bits is a decimal of at most 76 digits. A whole report
goes through `report.to_json()` and `Report.from_json(text)`, and through `pickle`, and comes back equal.

```python
import energysim as es

report = es.estimate("vgg16-cifar10", "psconv")
es.write_frame(report.to_frame(), "layers.csv")
assert es.read_frame("layers.csv").equals(report.to_frame())
```
"""


def page() -> str:
    """Return the page as markdown."""
    return "\n".join([_HEAD, *_tables()]).rstrip() + "\n"


def _tables() -> Iterator[str]:
    for table in TABLES.values():
        yield f"## Table `{table.name}`\n"
        yield f"{table.made_by}: a row per {table.rows.removeprefix('a ')}.\n"
        yield "| column | kind | unit | meaning |"
        yield "| --- | --- | --- | --- |"
        yield from map(_row, table.columns)
        yield ""


def _row(column: ColumnSpec) -> str:
    missing = f" Missing {column.missing}." if column.missing else ""
    return f"| `{column.name}` | {column.kind} | {column.unit} | {column.meaning}{missing} |"


if __name__ == "__main__":
    print(page(), end="")
