"""The report as JSON, and back. Exact: counts are integers, energies decimals of up to 18 places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError
from energysim.report.rows import AccessRow, ConstantUse, LayerRow, Run, Setup
from energysim.units import aj_from_pj, pj_decimal

if TYPE_CHECKING:
    from energysim.report.report import Report

__all__ = ["SCHEMA_VERSION", "dump", "from_json", "to_json"]

SCHEMA_VERSION = 1


def to_json(report: Report) -> str:
    """Return the report as JSON text with a fixed order of keys."""
    from energysim import __version__
    from energysim.report.totals import totals

    runs = []
    for run in report.runs:
        whole = totals(run)
        runs.append(
            {
                "scheme": run.scheme,
                "totals": {
                    "macs": whole.macs,
                    "effective_macs": whole.effective_macs,
                    "weight_bits": whole.weight_bits,
                    "side_bits": whole.side_bits,
                    "dram_bits": whole.total_dram_bits,
                    "cycles": whole.cycles,
                    "energy_pj": pj_decimal(whole.total_energy_aj),
                },
                "left_dense": [list(item) for item in run.left_dense],
                "assumed": list(run.assumed),
                "uncounted": list(run.uncounted),
                "layers": _table(run.layers, LayerRow),
                "accesses": _table(run.accesses, AccessRow),
            }
        )
    setup = {f.name: _plain(getattr(report.setup, f.name)) for f in fields(Setup)}
    setup["constants"] = _table(report.setup.constants, ConstantUse)
    data = {"schema_version": SCHEMA_VERSION, "energysim": __version__, "setup": setup, "runs": runs}
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


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    return list(value) if isinstance(value, tuple) else value


def _table(rows: tuple[Any, ...], kind: type) -> dict[str, Any]:
    """A table by columns' names and rows of values; energies [aJ] are written in pJ."""
    names = [f.name for f in fields(kind)]
    shown = ["energy_pj" if n == "energy_aj" else n for n in names]
    values = [
        [pj_decimal(getattr(row, n)) if n == "energy_aj" else _plain(getattr(row, n)) for n in names]
        for row in rows
    ]
    return {"columns": shown, "rows": values}


def from_json(text: str) -> Report:
    """Return the report of :func:`to_json`.

    Raises
    ------
    UsageError
        If the text is no such report, or of another schema version.
    """
    from energysim.report.report import Report

    try:
        data = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not a report: {error}") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise UsageError(f"not a report of schema version {SCHEMA_VERSION}, but {version!r}")
    try:
        setup = dict(data["setup"])
        setup["constants"] = _rows(setup["constants"], ConstantUse)
        setup["assumed"] = tuple(setup["assumed"])
        setup["clock_hz"] = Fraction(setup["clock_hz"])
        runs = tuple(
            Run(
                run["scheme"],
                _rows(run["layers"], LayerRow),
                _rows(run["accesses"], AccessRow),
                tuple((str(n), str(r)) for n, r in run["left_dense"]),
                tuple(run["assumed"]),
                tuple(run["uncounted"]),
            )
            for run in data["runs"]
        )
        if not runs:
            raise ValueError("it has no run")
        return Report(Setup(**setup), runs)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UsageError(f"not a complete report: {type(error).__name__}: {error}") from None


def _rows(table: dict[str, Any], kind: type) -> tuple[Any, ...]:
    names = [f.name for f in fields(kind)]
    shown = ["energy_pj" if n == "energy_aj" else n for n in names]
    if table["columns"] != shown:
        raise ValueError(f"columns {table['columns']} where {shown} are expected")
    found = []
    for row in table["rows"]:
        values = dict(zip(names, row, strict=True))
        if "energy_aj" in values:
            values["energy_aj"] = aj_from_pj(values["energy_aj"])
        if "utilisation" in values:
            values["utilisation"] = Fraction(values["utilisation"])
        found.append(kind(**values))
    return tuple(found)
