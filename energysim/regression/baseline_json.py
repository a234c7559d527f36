"""Baselines as JSON: compact, exact, the same bytes on any machine, and checked when they are read.

Rows of numbers are stored once however many layers have them. ``layers`` gives each layer the number
of its row, or a list with one per scheme (null where a scheme has no such layer). A row holds a number
per column; zeros at its end are left out. ``totals`` are the sums of the schemes' columns: a file whose
rows do not add up is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from energysim.errors import UsageError
from energysim.regression.baseline import Baseline
from energysim.regression.counts import Cells, Table, columns_of, sums
from energysim.regression.recipe import Recipe
from energysim.report.files import write_text
from energysim.report.tables import cell_text

__all__ = ["SCHEMA", "parse_baseline", "read_baseline", "render_baseline", "write_baseline"]

SCHEMA = "energysim-baseline/1"

_LARGEST = 1 << 24  # bytes of a file: the largest of the zoo have fifty thousand


def render_baseline(baseline: Baseline) -> str:
    """Return a baseline as JSON text."""
    return "".join(_lines(baseline))


def _lines(baseline: Baseline) -> Iterator[str]:
    columns = columns_of(baseline.table)
    rows: dict[tuple[int, ...], int] = {}
    places: dict[str, list[int | None]] = {}
    for name in dict.fromkeys(name for layers in baseline.table.values() for name in layers):
        each = (layers.get(name) for layers in baseline.table.values())
        places[name] = [c if c is None else rows.setdefault(_shortened(c, columns), len(rows)) for c in each]
    head = {
        "schema": SCHEMA,
        "made_with": baseline.made_with,
        "recipe": None if baseline.recipe is None else baseline.recipe.to_plain(),
        "inputs": {section: dict(values) for section, values in baseline.inputs.items()},
        "engine": dict(baseline.engine),
        "schemes": list(baseline.table),
        "columns": list(columns),
    }
    yield "{\n"
    for key, value in head.items():
        yield f"{_compact(key)}: {json.dumps(value, indent=1)},\n"
    totals = [sums(layers) for layers in baseline.table.values()]
    yield from _block("totals", "[]", [_compact([t.get(c, 0) for c in columns]) for t in totals])
    yield ",\n"
    named = [f"{_compact(name)}: {_compact(_short(where))}" for name, where in places.items()]
    yield from _block("layers", "{}", named)
    yield ",\n"
    yield from _block("rows", "[]", [_compact(list(row)) for row in rows])
    yield "\n}\n"


def _shortened(cells: Cells, columns: tuple[str, ...]) -> tuple[int, ...]:
    row = [cells.get(column, 0) for column in columns]
    while row and not row[-1]:
        row.pop()
    return tuple(row)


def _block(key: str, brackets: str, lines: list[str]) -> Iterator[str]:
    content = ",\n".join(lines)
    yield f"{_compact(key)}: {brackets[0]}\n{content}\n{brackets[1]}"


def _short(places: list[int | None]) -> int | list[int | None]:
    first = places[0]
    return first if first is not None and places == [first] * len(places) else places


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def write_baseline(baseline: Baseline, path: Path) -> bool:
    """Write a baseline to a file, whole or not at all; return whether the file changed.

    The folder is made if it is not there.

    Raises
    ------
    UsageError
        If it cannot be written; an old file is then as it was.
    """
    text = render_baseline(baseline)
    if _holds(path, text):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{error.strerror}: {str(path.parent)!r}"
        raise UsageError(f"{path}: cannot be written: {reason}") from None
    write_text(path, text)
    return True


def _holds(path: Path, text: str) -> bool:
    """Whether a file has this content already; devices are not read, some have no end."""
    try:
        return path.is_file() and path.read_text("utf-8") == text
    except (OSError, ValueError):
        return False


def read_baseline(path: Path) -> Baseline:
    """Return the baseline of a file.

    Raises
    ------
    UsageError
        If it is none; says what is wrong, and what to do about it.
    """
    return parse_baseline(read_json_text(path), str(path))


def read_json_text(path: Path) -> str:
    """Return the text of a file that may be a baseline or a report."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST * 16 + 1)
        if len(data) > _LARGEST * 16:
            raise UsageError(f"{path}: larger than {_LARGEST >> 16} MiB; that is no baseline")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text; expected JSON") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def parse_baseline(text: str, name: str = "the baseline") -> Baseline:
    """Return the baseline of :func:`render_baseline`.

    Raises
    ------
    UsageError
        If the text is none.
    """
    if re.match(r'\s*\{\s*"schema_version"', text):
        raise UsageError(
            f"{name}: a saved report, not a baseline: energysim diff compares it with a baseline or a "
            "report, energysim baseline create makes a baseline"
        )
    try:
        data = json.loads(
            text, object_pairs_hook=_unique, parse_float=_no_fraction, parse_constant=_no_fraction
        )
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: not a baseline: {error}") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise UsageError(f"{name}: {_other_schema(schema)}")
    try:
        return _read(data)
    except KeyError as error:
        raise UsageError(f"{name}: not a complete baseline: it has no {error}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{name}: not a complete baseline: {error}") from None


def _other_schema(schema: Any) -> str:
    found = re.fullmatch(r"energysim-baseline/(\d{1,9})", schema) if isinstance(schema, str) else None
    if found and int(found[1]) > int(SCHEMA.rpartition("/")[2]):
        return (
            f"a baseline of a newer schema, {schema}; this energysim reads {SCHEMA}: "
            "use the newer energysim, or make the baseline anew"
        )
    return f"not a baseline: its schema is {SCHEMA!r}, not {schema!r:.40}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r:.80} stands in it twice")
    return found


def _no_fraction(text: str) -> NoReturn:
    raise ValueError(f"{text:.40} where a whole number is expected")


def _read(data: dict[str, Any]) -> Baseline:
    schemes, columns = _texts(data["schemes"], "schemes"), _texts(data["columns"], "columns")
    rows = [_row(row, columns) for row in data["rows"]]
    table: Table = {scheme: {} for scheme in schemes}
    for layer, where in _object(data["layers"], "layers").items():
        each = where if isinstance(where, list) else [where] * len(schemes)
        if len(each) != len(schemes):
            raise ValueError(f"layer {layer!r:.80} has {len(each)} rows, there are {len(schemes)} schemes")
        for scheme, number in zip(schemes, each, strict=True):
            if number is None:
                continue
            if type(number) is not int or not 0 <= number < len(rows):
                raise ValueError(f"layer {layer!r:.80} has no row {number!r:.40}")
            table[scheme][layer] = rows[number]
    _check_totals(table, columns, data["totals"])
    engine = _object(data["engine"], "engine")
    inputs = _object(data["inputs"], "inputs")
    return Baseline(
        {section: _words(values, f"inputs.{section}") for section, values in inputs.items()},
        table,
        None if data["recipe"] is None else Recipe.from_plain(data["recipe"]),
        _words(engine, "engine"),
        _word(data["made_with"], "made_with"),
    )


def _check_totals(table: Table, columns: list[str], totals: Any) -> None:
    if not isinstance(totals, list) or len(totals) != len(table):
        raise ValueError(f"it has no totals for each of its {len(table)} schemes")
    for (scheme, layers), told in zip(table.items(), totals, strict=True):
        if sums(layers) != _row(told, columns):
            raise ValueError(f"the totals of {scheme!r} are not those of its rows")


def _row(row: Any, columns: list[str]) -> Cells:
    if not isinstance(row, list) or len(row) > len(columns):
        raise ValueError(
            f"a row is a list of at most {len(columns)} numbers, one per column, not {row!r:.40}"
        )
    for value in row:
        if type(value) is not int:
            raise ValueError(f"a whole number is expected, not {value!r:.40}")
    return {column: value for column, value in zip(columns, row, strict=False) if value}


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{cell_text(name):.80} is no object, but {value!r:.40}")
    return value


def _words(value: Any, name: str) -> dict[str, str]:
    return {key: _word(item, f"{name}.{key}") for key, item in _object(value, name).items()}


def _word(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{cell_text(name):.80}: a text is expected, not {value!r:.40}")
    return value


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or (name == "schemes" and not value):
        raise ValueError(f"{name} is a list of texts, not {value!r:.40}")
    found = [_word(item, name) for item in value]
    if len(set(found)) < len(found):
        raise ValueError(f"one of its {name} stands in it twice")
    return found
