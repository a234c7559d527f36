"""Cycles of one PE of Eyeriss v2 that skips zeros of both operands: pointwise layers of MobileNet."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from energysim.cost.hierarchy import evaluate_mapping
from energysim.kernels import MaskKernel
from energysim.mapping.hierarchy.mapping import Mapping
from energysim.reproduce.layers import hierarchy
from energysim.reproduce.tables import Result, Table
from energysim.setting import read_setting
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

__all__ = ["eyeriss_v2_pe"]

#: Channels, filters, rows and columns, density of inputs and of weights, as stated with the cycles in
#: fig12_eyerissv2_pe_setup of the artifact of Sparseloop (Wu et al., MICRO 2022).
_LAYERS = {
    "L07": (64, 64, 32, "0.73", "0.52"),
    "L09": (64, 128, 16, "0.86", "0.82"),
    "L19": (256, 256, 8, "0.61", "0.55"),
    "L21": (256, 256, 8, "0.64", "0.6"),
    "L23": (256, 256, 8, "0.61", "0.7"),
    "L25": (256, 512, 4, "0.68", "0.65"),
}
_NOTES = (
    "published: cycle-level simulation of a variant with one multiplier, not silicon; ours: hardware "
    "eyeriss-v2-pe, a product per cycle where both operands are nonzero, zeros independent of each other",
    "only the six pointwise layers whose densities are stated are compared: of the others the inputs are not "
    "known. Stalls of the PE are not modelled, so ours is lower",
)


def eyeriss_v2_pe() -> Table:
    """Compute the table."""
    setting = read_setting(hierarchy("eyeriss-v2-pe"))
    results = []
    for name, (channels, filters, size, inputs, weights) in _LAYERS.items():
        kept = round(Fraction(weights) * channels * filters)
        mask = (np.arange(channels * filters) < kept).reshape(filters, channels, 1, 1)
        axis = Axis(size, size, 1, 1, 1, 0)
        nest = LoopNest(1, 1, filters, channels, axis, axis, MaskKernel(mask))
        density = Fraction(inputs)
        work = MacWorkload(
            nest,
            Operand((1, channels, size, size), density=density, stored_density=density),
            Operand((1, filters, size, size)),
        )
        mapping = Mapping.of({"dram": f"M{filters} C{channels} P{size} Q{size}"})
        cycles = dict(evaluate_mapping(work, setting, mapping).times)["compute"]
        results.append(Result(f"EY2PE-{name}", Fraction(cycles)))
    return Table(
        "eyeriss-v2-pe", "One PE of Eyeriss v2, pointwise layers of MobileNet", _NOTES, tuple(results)
    )
