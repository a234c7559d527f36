"""Sums over rows: exact integers, and the figures derived from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from energysim.report.rows import LayerRow, Run

__all__ = ["LEVELS", "Totals", "totals"]

#: Levels in the order of the tables; ``vector`` are the operations that are no multiply-adds.
LEVELS = ("mac", "register", "buffer", "dram", "vector")


@dataclass(frozen=True)
class Totals:
    """Sums over a set of rows of one run, for the whole batch.

    Attributes
    ----------
    dense_macs, macs, effective_macs, other_ops, weight_bits, side_bits, compulsory_bits, cycles : int
    energy_aj : dict of str to int
        By level.
    dram_bits : dict of str to int
        By tensor; partial sums count with the outputs.
    buffer_bits : int
    """

    dense_macs: int
    macs: int
    effective_macs: int
    other_ops: int
    weight_bits: int
    side_bits: int
    compulsory_bits: int
    cycles: int
    energy_aj: dict[str, int]
    dram_bits: dict[str, int]
    buffer_bits: int

    @property
    def total_energy_aj(self) -> int:
        """Energy of all levels [aJ]."""
        return sum(self.energy_aj.values())

    @property
    def total_dram_bits(self) -> int:
        """Traffic between DRAM and chip [bit]."""
        return sum(self.dram_bits.values())

    def energy_j(self, images: int = 1) -> Fraction:
        """Energy per image [J], exact."""
        return Fraction(self.total_energy_aj, 10**18 * images)

    def seconds(self, clock_hz: Fraction, images: int = 1) -> Fraction:
        """Time per image [s], exact."""
        return Fraction(self.cycles) / clock_hz / images


def totals(run: Run, keep: Callable[[LayerRow], bool] = lambda row: True) -> Totals:
    """Return the sums over the rows of a run that ``keep`` accepts."""
    rows = [row for row in run.layers if keep(row)]
    nodes = {row.node for row in rows}
    energy = dict.fromkeys(LEVELS, 0)
    dram = {"weights": 0, "inputs": 0, "outputs": 0}
    buffer = 0
    for access in run.accesses:
        if access.node not in nodes:
            continue
        energy[access.level] = energy.get(access.level, 0) + access.energy_aj
        if access.level == "dram":
            tensor = "outputs" if access.tensor == "partial_sums" else access.tensor.partition("_")[0]
            dram[tensor] = dram.get(tensor, 0) + access.bits
        elif access.level == "buffer":
            buffer += access.bits

    def add(name: str) -> int:
        return sum(int(getattr(row, name)) for row in rows)

    return Totals(
        add("dense_macs"),
        add("macs"),
        add("effective_macs"),
        add("other_ops"),
        add("weight_bits"),
        add("side_bits"),
        add("compulsory_bits"),
        add("cycles"),
        energy,
        dram,
        buffer,
    )
