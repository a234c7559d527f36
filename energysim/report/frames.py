"""The report as records and as tidy pandas frames. pandas is imported only for frames.

What each column is, its unit and its type say :mod:`energysim.report.columns` and ``docs/columns.md``.
Counts are for the whole batch; rows are in network order; no totals are stored as rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError, near_miss
from energysim.report.columns import TABLES, columns_of
from energysim.report.rows import AccessRow, Run
from energysim.report.totals import LEVELS, grouped, own_levels
from energysim.units import aj_from_pj, pj_decimal

if TYPE_CHECKING:
    import pandas as pd

    from energysim.report.report import Report

__all__ = ["access_records", "attributes", "frame", "layer_records", "level_records", "typed"]

#: The largest count of an int64 column.
_LARGEST = 2**63 - 1


def layer_records(report: Report) -> list[dict[str, Any]]:
    """Return one record per scheme and node; energies are exact decimals [pJ]."""
    levels = list(dict.fromkeys([*LEVELS, *(a.level for run in report.runs for a in run.accesses)]))
    return [record for run in report.runs for record in _layers(run, report.setup.batch, levels)]


def _layers(run: Run, batch: int, levels: list[str]) -> list[dict[str, Any]]:
    sums = grouped(run, lambda row: row.node)
    records = []
    for row in run.layers:
        own = sums[row.node]
        energy = {f"{level}_energy_pj": pj_decimal(own.energy_aj.get(level, 0)) for level in levels}
        records.append(
            {
                "scheme": run.scheme,
                "node": row.node,
                "origin": row.origin,
                "layer_scheme": row.scheme,
                "kind": row.kind,
                "part": row.part,
                "phase": row.phase,
                "folded_into": row.folded_into,
                "batch": batch,
                "output_shape": row.output_shape,
                "dense_macs": row.dense_macs,
                "macs": row.macs,
                "effective_macs": row.effective_macs,
                "other_ops": row.other_ops,
                "weight_bits": row.weight_bits,
                "side_bits": row.side_bits,
                "float_macs": row.float_macs,
                "additions": row.additions,
                "gathers": row.gathers,
                "expansion_macs": row.expansion_macs,
                "load_bits": row.load_bits,
                "dram_bits": own.total_dram_bits,
                "dram_weight_bits": own.dram_bits["weights"],
                "dram_input_bits": own.dram_bits["inputs"],
                "dram_output_bits": own.dram_bits["outputs"],
                "compulsory_bits": row.compulsory_bits,
                "dram_bound_bits": row.dram_bound_bits,
                "buffer_bits": own.buffer_bits,
                **energy,
                "energy_pj": pj_decimal(own.total_energy_aj),
                "unfused_dram_bits": row.unfused_dram_bits,
                "unfused_energy_pj": pj_decimal(row.unfused_energy_aj),
                "cycles": row.cycles,
                "bound": row.bound,
                "utilisation": float(row.utilisation),
                "expected": own.expected,
                "mapping": row.mapping,
                "mappings": row.mappings,
                "optimal": row.optimal,
                "gap": float(row.gap),
                "searched": row.searched,
                "stall_cycles": row.stall_cycles,
            }
        )
    return records


def access_records(report: Report) -> list[dict[str, Any]]:
    """Return one record per scheme, node, level, tensor and action; energies are exact decimals [pJ]."""
    kinds = {use.path: use.kind for use in report.setup.constants}
    return [
        {
            "scheme": run.scheme,
            "node": row.node,
            "level": row.level,
            "tensor": row.tensor,
            "action": row.action,
            "elements": row.elements,
            "bits": row.bits,
            "energy_pj": pj_decimal(row.energy_aj),
            "constant": row.constant,
            "constant_kind": kinds.get(row.constant, ""),
            "expected": row.expected,
        }
        for run in report.runs
        for row in run.accesses
    ]


def level_records(report: Report) -> list[dict[str, Any]]:
    """Return one record per scheme and level; see :func:`_summed`."""
    found = []
    wholes = {scheme: report.totals(scheme).total_energy_aj for scheme in report.schemes}
    for record in _summed(report, lambda row: {"level": row.level}):
        whole = wholes[record["scheme"]]
        share = Fraction(aj_from_pj(record["energy_pj"]), whole) if whole else Fraction(0)
        found.append({**record, "energy_share": float(share)})
    return found


def tensor_records(report: Report) -> list[dict[str, Any]]:
    """Return one record per scheme, level and tensor."""
    return _summed(report, lambda row: {"level": row.level, "tensor": row.tensor})


def action_records(report: Report) -> list[dict[str, Any]]:
    """Return one record per scheme, level and action."""
    return _summed(report, lambda row: {"level": row.level, "action": row.action})


def _summed(report: Report, key: Callable[[AccessRow], dict[str, str]]) -> list[dict[str, Any]]:
    """Exact sums of accesses, levels in the order of the tables, all else as it comes."""
    levels = [*LEVELS, *own_levels(report.runs)]
    found = []
    for run in report.runs:
        sums: dict[tuple[str, ...], list[int]] = {}
        for row in run.accesses:
            own = sums.setdefault(tuple(key(row).values()), [0, 0, 0])
            for place, value in enumerate((row.elements, row.bits, row.energy_aj)):
                own[place] += value
        names = tuple(key(run.accesses[0])) if run.accesses else ()
        for values in sorted(sums, key=lambda values: levels.index(values[0])):
            elements, bits, energy = sums[values]
            found.append(
                {
                    "scheme": run.scheme,
                    **dict(zip(names, values, strict=True)),
                    "elements": elements,
                    "bits": bits,
                    "energy_pj": pj_decimal(energy),
                }
            )
    return found


def frame(report: Report, table: str) -> pd.DataFrame:
    """Return a table of the report as a frame; ``attrs`` say where it comes from."""
    makers = {
        "layers": layer_records,
        "accesses": access_records,
        "levels": level_records,
        "tensors": tensor_records,
        "actions": action_records,
    }
    if table not in makers:
        raise UsageError(f"unknown table {table!r}{near_miss(table, makers)} ({', '.join(makers)})")
    records = makers[table](report)
    names = (
        list(records[0]) if records else [one.name for one in TABLES[table].columns if "<" not in one.name]
    )
    result = typed(records, table, names)
    result.attrs.update(attributes(report))
    return result


def attributes(report: Report) -> dict[str, Any]:
    """Return where a frame comes from."""
    setup = report.setup
    return {
        "model": setup.model,
        "hardware": setup.hardware,
        "hardware_digest": setup.hardware_digest,
        "rules": setup.rules,
        "batch": setup.batch,
    }


def typed(records: Sequence[dict[str, Any]], table: str, names: Sequence[str]) -> pd.DataFrame:
    """Return records as a frame whose columns have the types of :mod:`energysim.report.columns`.

    Parameters
    ----------
    records : sequence of dict
        A missing value is None.
    table : str
    names : sequence of str
        Its columns, in order.
    """
    import pandas as pd

    found = {}
    for spec in columns_of(table, names):
        values = [record[spec.name] for record in records]
        found[spec.name] = pd.Series(values, dtype=_dtype(spec.kind, values))
    return pd.DataFrame(found, columns=list(names))


def _dtype(kind: str, values: Sequence[Any]) -> Any:
    import pandas as pd

    if kind == "text":
        return "str" if int(pd.__version__.partition(".")[0]) >= 3 else object
    if kind in ("count", "maybe count") and any(v is not None and abs(v) > _LARGEST for v in values):
        return object  # Python integers: exact, whatever their size
    return {"count": "int64", "maybe count": "Int64", "real": "float64", "flag": "bool"}[kind]
