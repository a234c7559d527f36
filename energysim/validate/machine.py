"""A validation for programs: JSON and CSV, counts in full."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from energysim.report.csv_form import csv_text
from energysim.report.json_form import dump
from energysim.units import pj_decimal
from energysim.validate.result import LayerCheck, SchemeCheck, Setup, Trial

if TYPE_CHECKING:
    from energysim.validate.result import Validation

__all__ = ["SCHEMA_VERSION", "csv", "json_text"]

SCHEMA_VERSION = 1


def json_text(found: Validation) -> str:
    """Return the whole result; all but the errors is the same on any machine."""
    from energysim import __version__

    data = {
        "schema_version": SCHEMA_VERSION,
        "energysim": __version__,
        "passed": found.passed,
        "setup": {f.name: getattr(found.setup, f.name) for f in fields(Setup)},
        "schemes": [_scheme(scheme) for scheme in found.schemes],
    }
    return "".join(dump(data)) + "\n"


def csv(found: Validation) -> str:
    """Return a row per scheme and layer."""
    records = []
    for scheme in found.schemes:
        for layer in scheme.layers:
            record = {"run": scheme.scheme, **_record(layer)}
            record["problems"] = "; ".join(layer.problems)
            records.append(record)
    return csv_text(records)


def _record(row: LayerCheck | Trial) -> dict[str, Any]:
    return {f.name: getattr(row, f.name) for f in fields(row)}


def _scheme(scheme: SchemeCheck) -> dict[str, Any]:
    return {
        "scheme": scheme.scheme,
        "passed": scheme.passed,
        "macs": scheme.macs,
        "stored_weight_bits": scheme.stored_bits,
        "dram_bits": scheme.dram_bits,
        "energy_pj": pj_decimal(scheme.energy_aj),
        "transforms": list(scheme.transforms),
        "network_tolerance": scheme.allowed,
        "problems": list(scheme.all_problems),
        "layers": _table(scheme.layers, LayerCheck),
        "trials": _table(scheme.trials, Trial),
    }


def _table(rows: tuple[Any, ...], kind: type) -> dict[str, Any]:
    names = [f.name for f in fields(kind)]
    values = [[list(v) if isinstance(v, tuple) else v for v in _record(row).values()] for row in rows]
    return {"columns": names, "rows": values}
