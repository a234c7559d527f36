"""What a cost model takes and gives.

A cost model turns a segment (a tuple of workloads that share tensors; of length 1 today) into
one :class:`LayerCost` per workload: exact integer counts first, energies from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from energysim.hardware import Constant, Hardware
from energysim.mapping import Rules
from energysim.registry import Registry
from energysim.units import ceil_div, ceil_fraction
from energysim.workload import Workload

__all__ = [
    "COST_MODELS",
    "OBJECTIVES",
    "Access",
    "CostModel",
    "LayerCost",
    "Setting",
    "charge",
    "transfer_times",
]

OBJECTIVES = {
    "energy": "least energy",
    "dram": "fewest bits between DRAM and the buffer",
    "delay": "fewest cycles, then least energy",
    "edp": "least energy times cycles",
}

COST_MODELS = Registry(
    "cost model",
    "energysim.cost_models",
    {
        "two-level": "energysim.cost.two_level:TwoLevel",
        "hierarchy": "energysim.cost.hierarchy:HierarchyModel",
    },
)


@dataclass(frozen=True)
class Setting:
    """Everything but the workload that a cost depends on.

    Attributes
    ----------
    hardware : Hardware
    rules : Rules
        Counting rules.
    objective : str
        One of :data:`OBJECTIVES`: what the mapping search minimises.
    weight_bits, activation_bits, accumulator_bits : int
        Widths of tensors that do not state their own.
    weight_format, activation_format : str or None
        Storage formats asked for; None leaves the choice to kernel and hardware.
    """

    hardware: Hardware
    rules: Rules
    objective: str
    weight_bits: int
    activation_bits: int
    accumulator_bits: int
    weight_format: str | None = None
    activation_format: str | None = None


@dataclass(frozen=True)
class Access:
    """One row of the table of accesses, for the whole batch.

    Attributes
    ----------
    level : {"dram", "buffer", "register", "mac", "vector"}
    tensor : {"weights", "inputs", "inputs_2", "outputs", "partial_sums", ""}
    action : {"read", "write", "fill", "update", "drain", "gather"} or, of multipliers,
        {"compute", "compute_float", "add", "expand"} or, of DRAM devices, {"activate", "background",
        "refresh"}
    elements, bits : int
        Values moved (operations for ``compute``), and bits moved, side information included; of DRAM
        devices the bits of whole bursts, and rows opened, clocks or refreshes for the actions above.
    energy_aj : int
        Attojoules, rounded up once per row.
    constant : str
        Path of the energy constant in the hardware specification.
    expected : bool
        Whether the counts are expectations over random zeros.
    """

    level: str
    tensor: str
    action: str
    elements: int
    bits: int
    energy_aj: int
    constant: str
    expected: bool = False


@dataclass(frozen=True)
class LayerCost:
    """The cost of one workload, for the whole batch.

    Attributes
    ----------
    dense_macs, macs : int
        Multiply-adds of the layer with all weights, and with those that exist.
    effective_macs : int
        Multiply-adds that cost energy on this hardware (zeros it skips or gates left out).
    other_ops : int
        Additions of biases, activations, pooling, normalisation.
    weight_bits, side_bits : int
        Stored weights without and the tables, indices and pointers beside them.
    accesses : tuple of Access
    cycles : int
        The largest of ``times``.
    times : tuple of (str, int)
        Cycles each resource needs: ``compute``, ``dram``, ``buffer``; double buffering hides the rest.
    utilisation : Fraction
        Useful multiply-adds per multiplier and compute cycle.
    compulsory_bits : int
        DRAM traffic if every tensor moved once.
    dram_bound_bits : int
        DRAM traffic that no mapping goes below, at least ``compulsory_bits``.
    mapping : str
        The mapping chosen, readable; empty for a stream.
    mappings : int
        Size of the space searched, 0 for a stream.
    optimal : bool
        Whether the mapping is proven the best of that space.
    gap : Fraction
        Where it is not: the share of the objective that a better one could save at most. Where it is, and the
        objective is DRAM bits or cycles: the share of its energy that another as good could save.
    searched : tuple of (str, int)
        What became of the partial mappings that a search made: how many were ``made``, had
        ``no_room``, were ``bounded`` (no better than what is known) or ``beaten`` by another.
    float_macs, additions : int
        How many of ``macs`` are in floating point beside integers, and how many only add.
    gathers : int
        Elements read at computed addresses.
    expansion_macs : int
        Multiply-adds that make weights from what is stored: when the network is loaded, or in this
        run if they are made on chip. No part of ``macs``.
    load_bits : int
        DRAM traffic when the network is loaded, to make weights from what is stored; no access of a run.
    """

    dense_macs: int
    macs: int
    effective_macs: int
    other_ops: int
    weight_bits: int
    side_bits: int
    accesses: tuple[Access, ...]
    cycles: int
    times: tuple[tuple[str, int], ...]
    utilisation: Fraction
    compulsory_bits: int
    dram_bound_bits: int
    mapping: str = ""
    mappings: int = 0
    optimal: bool = True
    gap: Fraction = Fraction(0)
    searched: tuple[tuple[str, int], ...] = ()
    float_macs: int = 0
    additions: int = 0
    gathers: int = 0
    expansion_macs: int = 0
    load_bits: int = 0

    @property
    def energy_aj(self) -> int:
        """Total energy in attojoules."""
        return sum(access.energy_aj for access in self.accesses)

    @property
    def stall_cycles(self) -> int:
        """Cycles in which multipliers wait for memories; 0 for a stream, which has no multipliers."""
        computing = dict(self.times).get("compute")
        return 0 if computing is None else self.cycles - computing

    @property
    def bound(self) -> str:
        """The resource that takes longest."""
        return max(self.times, key=lambda t: t[1])[0]


class CostModel(Protocol):
    """The contract of a cost model plug-in."""

    #: Short description for ``energysim list cost-models``.
    description: str

    def evaluate(self, segment: tuple[Workload, ...], setting: Setting) -> tuple[LayerCost, ...]:
        """Return the cost of each workload of a segment.

        Raises
        ------
        CapacityError
            If no tile fits the hardware; says the smallest capacity that would do.
        """


def charge(
    level: str,
    tensor: str,
    action: str,
    elements: Fraction | int,
    bits: Fraction | int,
    energy: Constant,
    per_bits: int | None = None,
    expected: bool = False,
) -> Access:
    """Return an access with its energy, each number rounded up once.

    Parameters
    ----------
    energy : Constant
        Per ``per_bits`` bits moved, or per element if ``per_bits`` is None.
    """
    units = bits if per_bits else elements
    joules = ceil_div(energy.energy_aj * units.numerator, units.denominator * (per_bits or 1))
    count, size = (ceil_div(n.numerator, n.denominator) for n in (elements, bits))
    return Access(level, tensor, action, count, size, joules, energy.path, expected)


def transfer_times(hardware: Hardware, accesses: Iterable[Access]) -> tuple[tuple[str, int], ...]:
    """Return the cycles that each memory with a bandwidth needs for its accesses."""
    bits = dict.fromkeys(("dram", "buffer"), 0)
    for access in accesses:
        if access.level in bits:
            bits[access.level] += access.bits
    return tuple(
        (level.name, ceil_fraction(bits[level.name] / level.bandwidth.value))
        for level in (hardware.dram, hardware.buffer)
        if level.bandwidth is not None
    )
