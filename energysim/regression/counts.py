"""What a baseline keeps of a report: integers by layer and column, and sums of them.

A column is a quantity of the layer (``macs``, ``cycles``) or of a level of it (``dram.bits``,
``buffer.energy_aj``). Zeros are left out. The columns ``unfused_...`` of a report, which say what a
rewritten layer would move if its parts did not run in step, are kept as what that is more than now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from energysim.errors import UsageError
from energysim.hardware import Hardware
from energysim.report import LayerRow, Report, Run

__all__ = ["LAYER_COLUMNS", "Cells", "Table", "columns_of", "report_table", "sums", "unit_costs"]

#: Column -> number, zeros left out.
Cells = dict[str, int]
#: Scheme -> layer -> its cells, in network order.
Table = dict[str, dict[str, Cells]]

#: Counts of a layer that are kept as they are.
LAYER_COLUMNS = (
    "dense_macs",
    "macs",
    "effective_macs",
    "other_ops",
    "weight_bits",
    "side_bits",
    "float_macs",
    "additions",
    "gathers",
    "expansion_macs",
    "load_bits",
    "compulsory_bits",
    "dram_bound_bits",
    "cycles",
    "stall_cycles",
)

#: The name of the only column group of unit costs, where networks have schemes.
UNIT_COSTS = "unit costs"


def report_table(report: Report) -> Table:
    """Return the numbers of a report.

    Raises
    ------
    UsageError
        If a scheme or a layer stands in it twice.
    """
    table: Table = {}
    for run in report.runs:
        if run.scheme in table:
            raise UsageError(f"the report of {report.setup.model} holds the scheme {run.scheme!r} twice")
        table[run.scheme] = _layers(run, report.setup.model)
    return table


def _layers(run: Run, model: str) -> dict[str, Cells]:
    layers: dict[str, Cells] = {}
    for row in run.layers:
        if row.node in layers:
            raise UsageError(f"the report of {model} holds the layer {row.node!r} of {run.scheme!r} twice")
        layers[row.node] = {name: value for name in LAYER_COLUMNS if (value := getattr(row, name))}
    own: dict[str, list[int]] = {name: [0, 0] for name in layers}
    for access in run.accesses:
        cells = layers[access.node]
        for quantity in ("elements", "bits", "energy_aj"):
            value = getattr(access, quantity)
            if value:
                column = f"{access.level}.{quantity}"
                cells[column] = cells.get(column, 0) + value
        own[access.node][0] += access.bits if access.level == "dram" else 0
        own[access.node][1] += access.energy_aj
    for row in run.layers:
        layers[row.node].update(_spilled(row, *own[row.node]))
    return layers


def _spilled(row: LayerRow, dram_bits: int, energy_aj: int) -> Cells:
    found = {
        "spilled_dram_bits": row.unfused_dram_bits - dram_bits,
        "spilled_energy_aj": row.unfused_energy_aj - energy_aj,
    }
    return {name: value for name, value in found.items() if value}


def unit_costs(hardware: Hardware) -> Table:
    """Return every constant of a piece of hardware: energies per action [aJ], others in their unit.

    A number that is not whole is kept as ``value`` / ``per``.
    """
    rows: dict[str, Cells] = {}
    for constant in hardware.constants:
        if constant.unit == "pJ":
            cells = {"unit_energy_aj": constant.energy_aj}
        else:
            cells = {"value": constant.value.numerator, "per": constant.value.denominator}
        rows[constant.path] = {name: value for name, value in cells.items() if value}
    return {UNIT_COSTS: rows}


def columns_of(table: Table) -> tuple[str, ...]:
    """Return the columns in use, those that most layers have first, so that rows end in zeros."""
    used: dict[str, int] = {}
    for layers in table.values():
        for cells in layers.values():
            for column in cells:
                used[column] = used.get(column, 0) + 1
    return tuple(sorted(used, key=lambda column: (-used[column], column)))


def sums(layers: Mapping[str, Cells] | Iterable[Cells]) -> Cells:
    """Return the sums over layers."""
    found: Cells = {}
    for cells in layers.values() if isinstance(layers, Mapping) else layers:
        for column, value in cells.items():
            found[column] = found.get(column, 0) + value
    return {column: value for column, value in found.items() if value}
