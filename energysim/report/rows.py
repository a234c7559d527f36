"""The rows of a report: two tidy tables of exact integers, and what they were made with."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["PARTS", "AccessRow", "ConstantUse", "LayerRow", "Run", "Setup"]

#: Kinds of rows that totals are given for; ``matmul`` are products of two computed tensors.
PARTS = ("convolution", "linear", "matmul", "other")


@dataclass(frozen=True)
class LayerRow:
    """One node under one scheme; all counts are for the whole batch.

    Attributes
    ----------
    node, origin : str
        Node of the rewritten graph, and the node of the original it comes from.
    scheme : str
        Scheme that made the node (``dense`` where it was left alone).
    kind, part : str
        Operator, and one of :data:`PARTS`.
    phase : str
        ``forward``.
    folded_into : str or None
        None for a node with traffic of its own; else the node it runs with, or "" for a view or
        an operator applied on loading.
    output_shape : str
        Batch first.
    dense_macs, macs, effective_macs, other_ops : int
        See :class:`energysim.cost.LayerCost`.
    weight_bits, side_bits : int
        Stored weights, and the side information beside them.
    float_macs, additions, gathers, expansion_macs, load_bits : int
        What schemes add: see :class:`energysim.cost.LayerCost`.
    unfused_dram_bits, unfused_energy_aj : int
        DRAM traffic, and energy, where the parts of a rewritten layer pass their tensors through DRAM.
    compulsory_bits : int
        DRAM traffic if every tensor moved once.
    dram_bound_bits : int
        DRAM traffic that no mapping goes below: see :mod:`energysim.mapping.bounds`.
    cycles : int
    bound : str
        The resource that takes these cycles.
    utilisation : Fraction
        Useful multiply-adds per multiplier and compute cycle.
    mapping : str
    mappings : int
        Mappings in the space searched.
    optimal : bool
        Whether the mapping is proven the best of that space.
    gap : Fraction
        Where it is not: the share of the objective that a better one could save at most. Where it is, and the
        objective is DRAM bits or cycles: the share of its energy that another as good could save.
    searched : str
        What became of the partial mappings that a search made.
    stall_cycles : int
        Of the cycles, those in which multipliers wait for memories.
    """

    node: str
    origin: str
    scheme: str
    kind: str
    part: str
    phase: str
    folded_into: str | None
    output_shape: str
    dense_macs: int
    macs: int
    effective_macs: int
    other_ops: int
    weight_bits: int
    side_bits: int
    float_macs: int
    additions: int
    gathers: int
    expansion_macs: int
    load_bits: int
    unfused_dram_bits: int
    unfused_energy_aj: int
    compulsory_bits: int
    dram_bound_bits: int
    cycles: int
    bound: str
    utilisation: Fraction
    mapping: str
    mappings: int
    optimal: bool
    gap: Fraction
    searched: str
    stall_cycles: int


@dataclass(frozen=True)
class AccessRow:
    """One access of one node: see :class:`energysim.cost.Access`."""

    node: str
    level: str
    tensor: str
    action: str
    elements: int
    bits: int
    energy_aj: int
    constant: str
    expected: bool


@dataclass(frozen=True)
class Run:
    """One scheme on the network.

    Attributes
    ----------
    scheme : str
    layers : tuple of LayerRow
        In network order.
    accesses : tuple of AccessRow
        In network order.
    left_dense : tuple of (str, str)
        Layers with weights the scheme left dense, with the reason.
    assumed : tuple of str
        What the scheme rests on without a source.
    uncounted : tuple of str
        Nodes whose operator is unknown, if that was allowed.
    notes : tuple of str
        What else is to be told of this run.
    """

    scheme: str
    layers: tuple[LayerRow, ...]
    accesses: tuple[AccessRow, ...]
    left_dense: tuple[tuple[str, str], ...] = ()
    assumed: tuple[str, ...] = ()
    uncounted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConstantUse:
    """A constant of the hardware; accesses name those of their energies by path."""

    path: str
    value: str
    kind: str
    source: str


@dataclass(frozen=True)
class Setup:
    """What the report was made with.

    Attributes
    ----------
    model : str
    input : str
        Shape of one sample.
    batch : int
    parameters : int
        Parameters of the dense network, biases and normalisation included.
    hardware, hardware_digest, hardware_description : str
    zeros : str
        What the hardware makes of zeros, in one line.
    clock_hz : Fraction
    cost_model, objective, fusion, bits, rules, activations : str
    datapaths : tuple of str
        Widths of operands, and of the multipliers they ran on.
    formats : str
        Storage formats asked for.
    constants : tuple of ConstantUse
    assumed : tuple of str
        Constants of the hardware that are assumed, energies or not.
    """

    model: str
    input: str
    batch: int
    parameters: int
    hardware: str
    hardware_digest: str
    hardware_description: str
    zeros: str
    clock_hz: Fraction
    cost_model: str
    objective: str
    fusion: str
    bits: str
    datapaths: tuple[str, ...]
    rules: str
    activations: str
    formats: str
    constants: tuple[ConstantUse, ...]
    assumed: tuple[str, ...]
