"""The report as JSON, and back. Exact: counts are integers, energies decimals with six places.

Tables are written as the names of their columns and a list of values per row, in network order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError
from energysim.report.rows import AccessRow, ConstantUse, LayerRow, Run, Setup
from energysim.report.totals import totals
from energysim.units import aj_from_pj, pj_decimal

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["SCHEMA_VERSION", "dump", "from_json", "to_json"]

SCHEMA_VERSION = 2


def to_json(report: Report) -> str:
    """Return the report as JSON text with a fixed order of keys."""
    from energysim import __version__

    runs = [
        {
            "scheme": run.scheme,
            "totals": _totals(run),
            "left_dense": [list(item) for item in run.left_dense],
            "assumed": list(run.assumed),
            "uncounted": list(run.uncounted),
            **({"notes": list(run.notes)} if run.notes else {}),
            "layers": _table(run.layers, LayerRow),
            "accesses": _table(run.accesses, AccessRow),
        }
        for run in report.runs
    ]
    setup = {f.name: _plain(getattr(report.setup, f.name)) for f in fields(Setup)}
    setup["constants"] = _table(report.setup.constants, ConstantUse)
    data = {"schema_version": SCHEMA_VERSION, "energysim": __version__, "setup": setup, "runs": runs}
    data["skipped"] = [list(item) for item in report.skipped]
    return "".join(dump(data)) + "\n"


def dump(value: Any, indent: str = "") -> Iterator[str]:
    """Yield JSON text: mappings a line per key, lists of lists a line per inner list, decimals exact."""
    deeper = indent + " "
    if isinstance(value, dict):
        yield "{\n"
        for number, (key, item) in enumerate(value.items()):
            yield f"{',' if number else ''}{chr(10) if number else ''}{deeper}{json.dumps(key)}: "
            yield from dump(item, deeper)
        yield f"\n{indent}}}"
    elif isinstance(value, list) and value and isinstance(value[0], list | dict):
        yield "[\n"
        for number, item in enumerate(value):
            yield f"{',' if number else ''}{chr(10) if number else ''}{deeper}"
            yield from dump(item, deeper)
        yield f"\n{indent}]"
    elif isinstance(value, list):
        yield f"[{', '.join(''.join(dump(item)) for item in value)}]"
    elif isinstance(value, Decimal):
        yield f"{value:f}"
    else:
        yield json.dumps(value, ensure_ascii=True, allow_nan=False)


def _totals(run: Run) -> dict[str, Any]:
    whole = totals(run)
    return {
        "macs": whole.macs,
        "effective_macs": whole.effective_macs,
        "weight_bits": whole.weight_bits,
        "side_bits": whole.side_bits,
        "dram_bits": whole.total_dram_bits,
        "cycles": whole.cycles,
        "energy_pj": pj_decimal(whole.total_energy_aj),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    return list(value) if isinstance(value, tuple) else value


def _shown(name: str) -> str:
    """The name of a field in the file: energies [aJ] are written in pJ."""
    return f"{name.removesuffix('_aj')}_pj" if _is_energy(name) else name


def _is_energy(name: str) -> bool:
    return name.endswith("energy_aj")


def _table(rows: tuple[Any, ...], kind: type) -> dict[str, Any]:
    names = [f.name for f in fields(kind)]
    values = [
        [pj_decimal(getattr(row, n)) if _is_energy(n) else _plain(getattr(row, n)) for n in names]
        for row in rows
    ]
    return {"columns": [_shown(n) for n in names], "rows": values}


def from_json(text: str) -> Report:
    """Return the report of :func:`to_json`.

    Raises
    ------
    UsageError
        If the text is no such report, of another schema version, or its totals are not those of
        its rows.
    """
    try:
        data = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise UsageError(f"not a report: {error}") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        newer = type(version) is int and version > SCHEMA_VERSION
        hint = ": use the newer energysim that wrote it, or estimate anew" if newer else ""
        raise UsageError(f"not a report of schema version {SCHEMA_VERSION}, but {str(version)[:40]!r}{hint}")
    try:
        return _read(data)
    except KeyError as error:
        raise UsageError(f"not a complete report: it has no {error}") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UsageError(f"not a complete report: {error}") from None


def _read(data: dict[str, Any]) -> Report:
    from energysim.report.report import Report

    given = dict(data["setup"])
    given["constants"] = _rows(given["constants"], ConstantUse)
    setup = _value(Setup, [given.pop(f.name) for f in fields(Setup)])
    if given:
        raise ValueError(f"its setup has an unknown key {next(iter(given))!r}")
    _check_setup(setup)
    runs = []
    for entry in data["runs"]:
        run = Run(
            _read_text(entry["scheme"]),
            _rows(entry["layers"], LayerRow),
            _rows(entry["accesses"], AccessRow),
            tuple((_read_text(node), _read_text(reason)) for node, reason in entry["left_dense"]),
            _read_texts(entry["assumed"]),
            _read_texts(entry["uncounted"]),
            _read_texts(entry.get("notes", [])),
        )
        nodes = {row.node for row in run.layers}
        if len(nodes) < len(run.layers):
            raise ValueError(f"a layer of {run.scheme!r} is there twice")
        lost = next((row.node for row in run.accesses if row.node not in nodes), None)
        if lost is not None:
            raise ValueError(f"an access of {lost!r}, which is no layer")
        if _totals(run) != entry["totals"]:
            raise ValueError(f"the totals of {run.scheme!r} are not those of its rows")
        runs.append(run)
    if not runs:
        raise ValueError("it has no run")
    if len({run.scheme for run in runs}) < len(runs):
        raise ValueError("a scheme is there twice")
    skipped = tuple((_read_text(name), _read_text(reason)) for name, reason in data["skipped"])
    return Report(setup, tuple(runs), skipped)


def _check_setup(setup: Setup) -> None:
    """Raise ValueError for what would be divided by, or taken apart, and cannot be."""
    if setup.batch < 1 or setup.clock_hz <= 0:
        raise ValueError("its batch and its clock must be more than nothing")
    for path in setup.datapaths:
        if not re.fullmatch(r"w=\d+,a=\d+ on \d+ bit", path):
            raise ValueError(f"a datapath is w=..,a=.. on .. bit, not {path!r:.40}")


def _rows(table: dict[str, Any], kind: type) -> tuple[Any, ...]:
    shown = [_shown(f.name) for f in fields(kind)]
    if table["columns"] != shown:
        raise ValueError(f"columns {table['columns']} where {shown} are expected")
    return tuple(_value(kind, row) for row in table["rows"])


def _value(kind: type, values: list[Any]) -> Any:
    """A row from its plain values, each checked against the type of its field."""
    made = {}
    for field, value in zip(fields(kind), values, strict=True):
        read = _read_energy if _is_energy(field.name) else _READERS[str(field.type)]
        try:
            made[field.name] = read(value)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ValueError(f"{_shown(field.name)} of a {kind.__name__}: {error}") from None
    return kind(**made)


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is expected, not {value!r:.40}")
    return value


def _read_texts(value: Any) -> tuple[str, ...]:
    return tuple(_read_text(item) for item in value)


def _read_count(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"a whole number is expected, not {value!r:.40}")
    if value < 0:
        raise ValueError(f"negative: {value!r:.40}")
    return value


def _read_energy(value: Any) -> int:
    energy = aj_from_pj(value)
    if energy < 0:
        raise ValueError(f"negative: {value!s:.40}")
    return energy


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false is expected, not {value!r:.40}")
    return value


def _read_fraction(value: Any) -> Fraction:
    if type(value) is not int and not isinstance(value, str):
        raise ValueError(f"a whole number or a text n/d is expected, not {value!r:.40}")
    return Fraction(value)


#: Type of a field, as it is written in :mod:`energysim.report.rows` -> how its value is read.
_READERS: dict[str, Callable[[Any], Any]] = {
    "int": _read_count,
    "str": _read_text,
    "bool": _read_flag,
    "Fraction": _read_fraction,
    "str | None": lambda value: None if value is None else _read_text(value),
    "tuple[str, ...]": _read_texts,
    "tuple[ConstantUse, ...]": lambda value: value,
}
