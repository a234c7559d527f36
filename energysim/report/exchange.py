"""Frames to files and back, equal with their types: CSV, JSON, parquet (extra ``parquet``).

A count past 64 bits stays a whole number everywhere: digits in CSV and JSON, a decimal of as many digits
in parquet. In CSV a missing text is ``NA`` and any other missing value an empty field.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError
from energysim.report.columns import TABLES, ColumnSpec, columns_of
from energysim.report.csv_form import MISSING_TEXT, csv_text
from energysim.report.files import write_bytes, write_text
from energysim.report.frames import typed
from energysim.report.json_form import dump

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_frame", "write_frame"]

_SCHEMA = "energysim-frame/1"
_FORMS = (".csv", ".json", ".parquet")


def write_frame(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame of this package to a file in the format of its suffix, all or nothing.

    Parameters
    ----------
    frame : pandas.DataFrame
        As ``to_frame``, ``compare`` and the like return it: with plain rows (``reset_index`` of
        ``per_layer`` and its like gives a frame that has lost its scheme).
    path : str or Path
        ``.csv``, ``.json`` or ``.parquet``. CSV does not hold the frame's ``attrs``.

    Raises
    ------
    UsageError
        If it is another frame, the suffix is another, or the file cannot be written.
    """
    path = Path(path)
    form = _form(path)
    table = _table_of(list(frame.columns), "the frame")
    specs = columns_of(table, frame.columns)
    records = _records(frame, specs)
    if form == ".csv":
        texts = [spec.name for spec in specs if spec.kind == "text"]
        names = [spec.name for spec in specs]
        write_text(path, csv_text(records, texts, names))
    elif form == ".json":
        rows = [list(record.values()) for record in records]
        data: dict[str, Any] = {"schema": _SCHEMA, "table": table, "attrs": _attrs(frame)}
        data |= {"columns": list(frame.columns), "rows": rows}
        write_text(path, "".join(dump(data)) + "\n")
    else:
        write_bytes(path, _to_parquet(records, specs, table, _attrs(frame)))


def read_frame(path: str | Path) -> pd.DataFrame:
    """Return the frame of :func:`write_frame`, or of ``estimate --format csv``, with the types it had.

    Raises
    ------
    UsageError
        If the file cannot be read or holds another table.
    """
    path = Path(path)
    form = _form(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        reader = {".csv": _from_csv, ".json": _from_json, ".parquet": _from_parquet}[form]
        names, rows, attrs = reader(data)
        table = _table_of(names, "it")
        records = [dict(zip(names, row, strict=True)) for row in rows]
        found = typed(records, table, names)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, csv.Error) as error:
        raise UsageError(f"{path}: not a table of energysim: {' '.join(str(error).split())}") from None
    found.attrs.update(attrs)
    return found


def _attrs(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): value for name, value in frame.attrs.items()}


def _form(path: Path) -> str:
    form = path.suffix.lower()
    if form not in _FORMS:
        raise UsageError(f"{path}: the suffix says no format of a frame ({', '.join(_FORMS)})")
    return form


def _table_of(names: Sequence[str], what: str) -> str:
    """The table that has these columns."""
    for table, spec in TABLES.items():
        needed = {one.name for one in spec.columns if "<" not in one.name}
        if {"layer", "part", "network"} <= needed:  # one of the three
            needed -= {"layer", "part", "network"} - set(names[:1])
        if needed <= set(names) and len(set(names)) == len(names):
            try:
                columns_of(table, names)
            except UsageError:
                continue
            return table
    listed = ", ".join(map(str, names[:6])) or "none"
    raise UsageError(f"{what} has the columns of no table of energysim: {listed}, ...")


def _records(frame: pd.DataFrame, specs: Sequence[ColumnSpec]) -> list[dict[str, Any]]:
    """Plain values: texts, integers, floats, truth values, None."""
    import pandas as pd

    columns = []
    for spec in specs:
        values = frame[spec.name].tolist()
        if spec.missing:
            values = [None if pd.isna(value) else value for value in values]
        if spec.kind == "text" and any(value == MISSING_TEXT for value in values):
            raise UsageError(f"{spec.name} {MISSING_TEXT!r} stands for a missing text")
        columns.append(values)
    names = [spec.name for spec in specs]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


_Read = tuple[list[str], list[list[Any]], dict[str, Any]]


def _from_csv(data: bytes) -> _Read:
    rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
    names = next(rows, [])
    specs = columns_of(_table_of(names, "it"), names)
    texts = list(rows)
    _need_whole(texts, names)
    found = [[_value(s, v) for s, v in zip(specs, row, strict=True)] for row in texts]
    for row in found:
        for spec, value in zip(specs, row, strict=True):
            _check(spec, value)
    return names, found, {}


def _need_whole(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise UsageError(f"row {number} has {len(row)} values, there are {len(names)} columns")


def _value(spec: ColumnSpec, text: str) -> Any:
    """A value from its text in CSV."""
    if spec.kind == "text":
        return None if spec.missing and text == MISSING_TEXT else text
    if spec.missing and not text:
        return None
    if spec.kind == "flag":
        return {"True": True, "False": False}[text]
    return float(text) if spec.kind == "real" else int(text)


def _from_json(data: bytes) -> _Read:
    found = json.loads(data.decode("utf-8"))
    if not isinstance(found, dict) or found.get("schema") != _SCHEMA:
        raise UsageError(f"not a frame of schema {_SCHEMA!r}")
    names, rows = found["columns"], found["rows"]
    _need_whole(rows, names)
    for spec, values in zip(columns_of(found["table"], names), zip(*rows, strict=True), strict=False):
        for value in values:
            _check(spec, value)
    return names, rows, found["attrs"]


def _check(spec: ColumnSpec, value: Any) -> None:
    """Raise ValueError for a value that is not of its column's kind."""
    kinds = {"text": (str,), "flag": (bool,), "real": (float, int), "count": (int,), "maybe count": (int,)}
    good = isinstance(value, kinds[spec.kind]) and isinstance(value, bool) == (spec.kind == "flag")
    if not good and not (value is None and spec.missing):
        raise ValueError(f"{spec.name} has {value!r:.40}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{spec.name} has {value!r}")


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("parquet needs the extra 'parquet': pip install 'energysim[parquet]'") from None
    return pyarrow


def _to_parquet(
    records: Sequence[dict[str, Any]], specs: Sequence[ColumnSpec], table: str, attrs: dict[str, Any]
) -> bytes:
    pa = _pyarrow()
    arrays = []
    for spec in specs:
        values = [record[spec.name] for record in records]
        arrays.append(pa.array(values, type=_arrow_type(pa, spec, values)))
    told = {"schema": _SCHEMA, "table": table, "attrs": json.dumps(attrs)}
    schema = pa.schema(
        [pa.field(spec.name, array.type) for spec, array in zip(specs, arrays, strict=True)], metadata=told
    )
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), sink)
    return bytes(sink.getvalue())


def _arrow_type(pa: Any, spec: ColumnSpec, values: Sequence[Any]) -> Any:
    """The type of a column; whole numbers past 64 bits are decimals without places."""
    if spec.kind in ("count", "maybe count"):
        largest = max((abs(value) for value in values if value is not None), default=0)
        if largest < 2**63:
            return pa.int64()
        if largest >= 10**76:
            raise UsageError(f"{spec.name} has a number of more than 76 digits: parquet holds none such")
        return pa.decimal256(76, 0)
    return {"text": pa.string(), "real": pa.float64(), "flag": pa.bool_()}[spec.kind]


def _from_parquet(data: bytes) -> _Read:
    pa = _pyarrow()
    try:
        table = pa.parquet.read_table(pa.BufferReader(data))
    except pa.ArrowException as error:
        raise UsageError(f"not a parquet file: {error}") from None
    told = table.schema.metadata or {}
    if told.get(b"schema") != _SCHEMA.encode():
        raise UsageError(f"not a frame of schema {_SCHEMA!r}")
    names = list(table.column_names)
    specs = columns_of(told[b"table"].decode(), names)
    columns = [table.column(name).to_pylist() for name in names]
    for place, spec in enumerate(specs):
        if "count" in spec.kind:
            columns[place] = [None if value is None else int(value) for value in columns[place]]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return names, rows, json.loads(told[b"attrs"])
