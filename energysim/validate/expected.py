"""What the estimate says, in the form that executed and encoded numbers are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from energysim.graph import LayerGraph
from energysim.hardware import Hardware
from energysim.schemes import Scheme
from energysim.walker import estimate
from energysim.widths import Bits

__all__ = ["Expected", "expected"]


@dataclass(frozen=True)
class Expected:
    """One scheme's estimate, for one image.

    Attributes
    ----------
    layers : dict of str to (int, int)
        Multiply-adds of the loop nest, and stored weights with side information [bit], of each node.
        Those in floating point besides (a scale per block) are part of the weights when a layer is run.
    macs, stored_bits, dram_bits, energy_aj : int
        Of the whole network.
    """

    layers: dict[str, tuple[int, int]]
    macs: int
    stored_bits: int
    dram_bits: int
    energy_aj: int


def expected(
    graph: LayerGraph, scheme: Scheme, hardware: Hardware, bits: Bits | None, format_weights: str | None
) -> Expected:
    """Return the numbers of the estimate of one image."""
    report = estimate(graph.with_batch(1), scheme, hardware, bits=bits, format_weights=format_weights)
    run, sums = report.run(), report.totals()
    layers = {row.node: (row.macs - row.float_macs, row.weight_bits + row.side_bits) for row in run.layers}
    return Expected(layers, sums.macs, sums.stored_weight_bits, sums.total_dram_bits, sums.total_energy_aj)
