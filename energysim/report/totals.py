"""Sums over rows: exact integers, and the figures derived from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from energysim.report.rows import AccessRow, LayerRow, Run

__all__ = ["LEVELS", "Totals", "grouped", "own_levels", "totals"]

#: Levels in the order of the tables; ``vector`` are the operations that are no multiply-adds.
LEVELS = ("mac", "register", "buffer", "dram", "vector")

_TENSORS = ("weights", "inputs", "outputs")


@dataclass(frozen=True)
class Totals:
    """Sums over a set of rows of one run, for the whole batch.

    Attributes
    ----------
    dense_macs, macs, effective_macs, other_ops, weight_bits, side_bits : int
    float_macs, additions, gathers, expansion_macs, load_bits : int
    unfused_dram_bits, unfused_energy_aj : int
    compulsory_bits, dram_bound_bits, cycles : int
    energy_aj : dict of str to int
        By level [aJ].
    dram_bits : dict of str to int
        By tensor [bit]: ``weights``, ``inputs``, ``outputs``; partial sums count with the outputs.
    buffer_bits : int
    expected : bool
        Whether some access is an expectation over random zeros.
    """

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
    energy_aj: dict[str, int]
    dram_bits: dict[str, int]
    buffer_bits: int
    expected: bool

    @property
    def stored_weight_bits(self) -> int:
        """Weights with their side information [bit]."""
        return self.weight_bits + self.side_bits

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


def grouped(run: Run, key: Callable[[LayerRow], str]) -> dict[str, Totals]:
    """Return the sums over the rows of a run by a key of theirs, in network order."""
    keys = {row.node: key(row) for row in run.layers}
    layers: dict[str, list[LayerRow]] = {name: [] for name in keys.values()}
    accesses: dict[str, list[AccessRow]] = {name: [] for name in layers}
    for row in run.layers:
        layers[keys[row.node]].append(row)
    for access in run.accesses:
        accesses[keys[access.node]].append(access)
    return {name: _summed(layers[name], accesses[name]) for name in layers}


def own_levels(runs: Sequence[Run]) -> list[str]:
    """Return the levels and axes that only this hardware has, the innermost first."""
    found = dict.fromkeys(row.level for run in runs for row in run.accesses if row.level not in LEVELS)
    return list(reversed(found))


def totals(run: Run, keep: Callable[[LayerRow], bool] = lambda row: True) -> Totals:
    """Return the sums over the rows of a run that ``keep`` accepts."""
    rows = [row for row in run.layers if keep(row)]
    nodes = {row.node for row in rows}
    return _summed(rows, [access for access in run.accesses if access.node in nodes])


def _summed(layers: Sequence[LayerRow], accesses: Sequence[AccessRow]) -> Totals:
    energy, dram, buffer = dict.fromkeys(LEVELS, 0), dict.fromkeys(_TENSORS, 0), 0
    for row in accesses:
        energy[row.level] = energy.get(row.level, 0) + row.energy_aj
        if row.level == "dram":
            # A second computed input (inputs_2) counts with the inputs.
            tensor = "outputs" if row.tensor == "partial_sums" else row.tensor.partition("_")[0]
            dram[tensor] = dram.get(tensor, 0) + row.bits
        elif row.level == "buffer":
            buffer += row.bits
    return Totals(
        dense_macs=sum(row.dense_macs for row in layers),
        macs=sum(row.macs for row in layers),
        effective_macs=sum(row.effective_macs for row in layers),
        other_ops=sum(row.other_ops for row in layers),
        weight_bits=sum(row.weight_bits for row in layers),
        side_bits=sum(row.side_bits for row in layers),
        float_macs=sum(row.float_macs for row in layers),
        additions=sum(row.additions for row in layers),
        gathers=sum(row.gathers for row in layers),
        expansion_macs=sum(row.expansion_macs for row in layers),
        load_bits=sum(row.load_bits for row in layers),
        unfused_dram_bits=sum(row.unfused_dram_bits for row in layers),
        unfused_energy_aj=sum(row.unfused_energy_aj for row in layers),
        compulsory_bits=sum(row.compulsory_bits for row in layers),
        dram_bound_bits=sum(row.dram_bound_bits for row in layers),
        cycles=sum(row.cycles for row in layers),
        energy_aj=energy,
        dram_bits=dram,
        buffer_bits=buffer,
        expected=any(row.expected for row in accesses),
    )
