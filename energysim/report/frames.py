"""The report as records and as tidy pandas frames. pandas is imported only for frames.

Columns carry their unit as a suffix; counts are for the whole batch; rows are in network order;
no totals are stored as rows. In a frame counts are int64 (Python integers where one is larger),
energies and the utilisation float64, ``expected`` and ``optimal`` bool, the rest text.
``folded_into`` is missing for a node with traffic of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from energysim.errors import UsageError, near_miss
from energysim.report.rows import Run
from energysim.report.totals import LEVELS, grouped
from energysim.units import pj_decimal

if TYPE_CHECKING:
    import pandas as pd

    from energysim.report.report import Report

__all__ = ["access_records", "frame", "layer_records"]


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


def frame(report: Report, table: str) -> pd.DataFrame:
    """Return a table of the report as a frame; ``attrs`` say where it comes from."""
    import pandas as pd

    makers = {"layers": layer_records, "accesses": access_records}
    if table not in makers:
        raise UsageError(f"unknown table {table!r}{near_miss(table, makers)} ({', '.join(makers)})")
    result = pd.DataFrame(makers[table](report))
    energies = [column for column in result.columns if column.endswith("_pj")]
    result = result.astype(dict.fromkeys(energies, float))
    setup = report.setup
    result.attrs.update(
        model=setup.model,
        hardware=setup.hardware,
        hardware_digest=setup.hardware_digest,
        rules=setup.rules,
        batch=setup.batch,
    )
    return result
