"""The report as records and as tidy pandas frames. pandas is imported only for frames.

Columns carry their unit as a suffix; counts are for the whole batch; rows are in network order;
no totals are stored as rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError, near_miss
from energysim.report.totals import LEVELS
from energysim.units import pj_decimal

if TYPE_CHECKING:
    import pandas as pd

    from energysim.report.report import Report

__all__ = ["access_records", "compare", "frame", "layer_records"]

_SUMMED = (
    "macs",
    "effective_macs",
    "weight_bits",
    "side_bits",
    "dram_bits",
    "buffer_bits",
    "energy_pj",
    "cycles",
)


def layer_records(report: Report) -> list[dict[str, Any]]:
    """Return one record per scheme and node; energies are exact decimals [pJ]."""
    records = []
    for run in report.runs:
        by_node: dict[str, list[Any]] = {}
        for access in run.accesses:
            by_node.setdefault(access.node, []).append(access)
        for row in run.layers:
            own = by_node.get(row.node, [])
            energy = {level: sum(a.energy_aj for a in own if a.level == level) for level in LEVELS}
            dram = [a for a in own if a.level == "dram"]
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
                    "batch": report.setup.batch,
                    "output_shape": row.output_shape,
                    "dense_macs": row.dense_macs,
                    "macs": row.macs,
                    "effective_macs": row.effective_macs,
                    "other_ops": row.other_ops,
                    "weight_bits": row.weight_bits,
                    "side_bits": row.side_bits,
                    "dram_bits": sum(a.bits for a in dram),
                    "dram_weight_bits": sum(a.bits for a in dram if a.tensor == "weights"),
                    "dram_input_bits": sum(a.bits for a in dram if a.tensor.startswith("inputs")),
                    "dram_output_bits": sum(a.bits for a in dram if a.tensor in ("outputs", "partial_sums")),
                    "compulsory_bits": row.compulsory_bits,
                    "buffer_bits": sum(a.bits for a in own if a.level == "buffer"),
                    **{f"{level}_energy_pj": pj_decimal(energy[level]) for level in LEVELS},
                    "energy_pj": pj_decimal(sum(energy.values())),
                    "cycles": row.cycles,
                    "bound": row.bound,
                    "utilisation": float(row.utilisation),
                    "expected": any(a.expected for a in own),
                    "mapping": row.mapping,
                    "mappings": row.mappings,
                    "optimal": row.optimal,
                }
            )
    return records


def access_records(report: Report) -> list[dict[str, Any]]:
    """Return one record per scheme, node, level, tensor and action."""
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


def frame(report: Report, table: str) -> pd.DataFrame:
    """Return a table of the report as a frame; energies as float64 [pJ]."""
    import pandas as pd

    makers = {"layers": layer_records, "accesses": access_records}
    if table not in makers:
        raise UsageError(f"unknown table {table!r}{near_miss(table, makers)} ({', '.join(makers)})")
    records = makers[table](report)
    result = pd.DataFrame(records)
    for column in result.columns:
        if column.endswith("_pj"):
            result[column] = result[column].astype(float)
    result.attrs["setup"] = {"model": report.setup.model, "hardware": report.setup.hardware}
    return result


def compare(report: Report, reference: str) -> pd.DataFrame:
    """Return schemes beside a reference, by origin.

    Columns: ``origin``, ``scheme``, and for each quantity its value, the ``_reference`` value and the
    ``_factor`` by which it shrank (reference / value; missing where the value is 0).
    """
    report.run(reference)
    data = report.to_frame()
    summed = data.groupby(["scheme", "origin"], sort=False)[list(_SUMMED)].sum().reset_index()
    base = summed[summed["scheme"] == reference].drop(columns="scheme")
    others = summed[summed["scheme"] != reference]
    if others.empty:
        others = summed
    joined = others.merge(base, on="origin", suffixes=("", "_reference"), how="left")
    for name in _SUMMED:
        joined[f"{name}_factor"] = joined[f"{name}_reference"] / joined[name].where(joined[name] != 0)
    order = [c for name in _SUMMED for c in (name, f"{name}_reference", f"{name}_factor")]
    return joined[["origin", "scheme", *order]]
