"""The least DRAM traffic of a layer on a piece of hardware, whatever the schedule."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import numpy as np

from energysim.cost.base import Setting
from energysim.cost.beside import beside_bits
from energysim.cost.storage import StoredOperand, StoredWeights, formatted_bits
from energysim.kernels import IntArray
from energysim.mapping import traffic_bound_bits
from energysim.units import ceil_fraction
from energysim.windows import window_pairs
from energysim.workload import Axis, LoopNest, MacWorkload

__all__ = ["StoredLayer", "compulsory_and_bound", "met_inputs"]


class StoredLayer(Protocol):
    """A loop nest whose tensors have their storage formats."""

    @property
    def work(self) -> MacWorkload: ...

    @property
    def setting(self) -> Setting: ...

    @property
    def weights(self) -> StoredWeights: ...

    @property
    def second(self) -> StoredOperand | None: ...

    @property
    def inputs(self) -> StoredOperand: ...

    @property
    def outputs(self) -> StoredOperand: ...


def compulsory_and_bound(
    layer: StoredLayer, capacity_bits: int | None, skipped: Collection[str] = ()
) -> tuple[int, int]:
    """Return the DRAM bits of a layer if every tensor moved once, and the bits no mapping goes below.

    Parameters
    ----------
    layer : StoredLayer
    capacity_bits : int or None
        All the memory on the chip [bit]; None if it has no limit.
    skipped : collection of str
        Tensors, ``weights`` or ``inputs``, of which no more has to move than what a weight that exists
        is multiplied with: multipliers that skip may read them from DRAM themselves.

    Returns
    -------
    compulsory_bits, bound_bits : int
        The second is at least the first; see :mod:`energysim.mapping.bounds` for its derivation.
    """
    nest, second = layer.work.nest, layer.second
    weights = layer.weights
    right = weights.fetched[1] + weights.table_bits if second is None else second.bits * nest.kernel.nonzeros
    if "weights" in skipped and second is None:
        right -= weights.fetched[1] * (1 - Fraction(nest.kernel.nonzeros, max(1, weights.elements)))
    inputs = met_inputs(nest) if "inputs" in skipped else nest.touched_inputs
    compulsory = (
        Fraction(right),
        inputs * layer.inputs.bits,
        layer.work.outputs.elements * layer.outputs.bits,
    )
    beside = beside_bits(layer.work, layer.setting)
    once = sum(map(ceil_fraction, compulsory)) + beside
    if capacity_bits is None or nest.copied:  # how much re-use a pattern of copies leaves is not derived
        return once, once
    least = traffic_bound_bits(
        nest,
        capacity_bits,
        weights.least_bits if second is None else _least(second),
        min([_least(layer.inputs), *_inside(layer)]),
        layer.outputs.bits,
        layer.setting.accumulator_bits,
    )
    return once, max(once, least + beside)


@lru_cache(maxsize=256)
def met_inputs(nest: LoopNest) -> int:
    """Return how many input elements some weight that exists is multiplied with."""
    if nest.kernel.is_dense or nest.rows.transposed:
        return nest.touched_inputs
    mask = nest.kernel.mask()
    taps = mask.reshape(nest.groups, nest.filters, *mask.shape[1:]).any(axis=1)
    patterns, channels = np.unique(taps.reshape(-1, *mask.shape[2:]), axis=0, return_counts=True)
    down, across = _met(nest.rows), _met(nest.cols)
    met = [int(np.count_nonzero(down.T @ pattern.astype(np.int64) @ across)) for pattern in patterns]
    return nest.batch * sum(int(times) * each for times, each in zip(channels, met, strict=True))


def _met(axis: Axis) -> IntArray:
    """Whether each tap of a window meets each input; shape (window, inputs)."""
    outputs, inputs = window_pairs(axis)
    taps = (inputs + axis.before - outputs * axis.stride) // axis.dilation
    found = np.zeros((axis.window, axis.inputs), dtype=np.int64)
    found[taps, inputs] = 1
    return found


def _inside(layer: StoredLayer) -> list[Fraction]:
    """Bits of an input in formats that levels on chip hold it in, if any do."""
    own, inputs = layer.setting.hardware.activations, layer.work.inputs
    if not own.stored_compressed or inputs.packed is not None or not inputs.elements:
        return []
    return [formatted_bits(inputs, form, layer.inputs.width) for _, form in own.formats]


def _least(operand: StoredOperand) -> Fraction:
    """The fewest bits an element takes, of those in DRAM and plain ones."""
    return min(operand.bits, Fraction(operand.width))
