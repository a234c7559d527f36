"""Rows of a report from costs: what a node was, what it became, what it moved."""

from __future__ import annotations

from dataclasses import replace

from energysim.cost import LayerCost
from energysim.extra import Table
from energysim.fusion import Fused
from energysim.graph import (
    CombConv2d,
    Conv2d,
    ConvTranspose2d,
    DeformConv2d,
    LayerGraph,
    Linear,
    MatMul,
    Node,
)
from energysim.graph.shapes import text as shape_text
from energysim.report import AccessRow, LayerRow
from energysim.schemes import Origin, Rewrite
from energysim.workload import MacWorkload, lower

__all__ = ["access_rows", "layer_row", "seen_from_origin", "table_row"]

_PARTS = {
    CombConv2d: "convolution",
    Conv2d: "convolution",
    ConvTranspose2d: "convolution",
    DeformConv2d: "convolution",
    Linear: "linear",
    MatMul: "matmul",
}


def layer_row(rewrite: Rewrite, node: Node, fused: Fused, cost: LayerCost, apart: LayerCost) -> LayerRow:
    """Return the row of a node; ``apart`` is its cost with every tensor of a block in memory."""
    shape = " ".join(shape_text(s) for s in rewrite.graph.output_shapes(node))
    part = _PARTS.get(type(node.op), "other")
    folded = fused.folded.get(node.name)
    return _row(node.name, rewrite.trace[node.name], node.op.kind, part, folded, shape, cost, apart)


def table_row(name: str, scheme: str, table: Table, cost: LayerCost) -> LayerRow:
    """Return the row of a table that layers share."""
    return _row(name, Origin(name, scheme), "Table", "convolution", None, str(table.values), cost, cost)


def seen_from_origin(row: LayerRow, graph: LayerGraph) -> LayerRow:
    """Return a row with what its origin was.

    A row of a rewritten layer counts with the layer's part; the last has the layer's dense products.
    """
    if row.scheme == "dense":
        return row
    origin = graph.node(row.origin)
    work = lower(graph, origin) if row.node == origin.name else None
    dense = work.nest.dense_macs if isinstance(work, MacWorkload) else 0
    return replace(row, part=_PARTS.get(type(origin.op), "other"), dense_macs=dense)


def _row(
    name: str,
    origin: Origin,
    kind: str,
    part: str,
    folded_into: str | None,
    output_shape: str,
    cost: LayerCost,
    apart: LayerCost,
) -> LayerRow:
    return LayerRow(
        node=name,
        origin=origin.node,
        scheme=origin.scheme,
        kind=kind,
        part=part,
        phase="forward",
        folded_into=folded_into,
        output_shape=output_shape,
        dense_macs=cost.dense_macs,
        macs=cost.macs,
        effective_macs=cost.effective_macs,
        other_ops=cost.other_ops,
        weight_bits=cost.weight_bits,
        side_bits=cost.side_bits,
        float_macs=cost.float_macs,
        additions=cost.additions,
        gathers=cost.gathers,
        expansion_macs=cost.expansion_macs,
        load_bits=cost.load_bits,
        unfused_dram_bits=sum(a.bits for a in apart.accesses if a.level == "dram"),
        unfused_energy_aj=apart.energy_aj,
        compulsory_bits=cost.compulsory_bits,
        dram_bound_bits=cost.dram_bound_bits,
        cycles=cost.cycles,
        bound=cost.bound,
        utilisation=cost.utilisation,
        mapping=cost.mapping,
        mappings=cost.mappings,
        optimal=cost.optimal,
        gap=cost.gap,
        searched=", ".join(f"{count} {what.replace('_', ' ')}" for what, count in cost.searched),
        stall_cycles=cost.stall_cycles,
    )


def access_rows(node: str, cost: LayerCost) -> list[AccessRow]:
    """Return the accesses of a node that happen at all."""
    return [
        AccessRow(
            node=node,
            level=access.level,
            tensor=access.tensor,
            action=access.action,
            elements=access.elements,
            bits=access.bits,
            energy_aj=access.energy_aj,
            constant=access.constant,
            expected=access.expected,
        )
        for access in cost.accesses
        if access.elements or access.bits
    ]
