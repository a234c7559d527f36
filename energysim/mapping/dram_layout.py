"""Where the elements of a tile lie in DRAM: runs of neighbouring addresses.

A computed tensor lies as its shape says, the last dimension without gaps: N, C, H, W for maps,
channels last where a row of the shape is a vector (linear layers, matrix products). A tile that
spans whole inner dimensions is one run; any other is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.rules import Rules
from energysim.windows import Axis, window_pairs

__all__ = ["Layout", "extent", "input_positions", "runs", "stored_bits"]


@dataclass(frozen=True)
class Layout:
    """The dimensions of a tensor, the innermost last.

    Attributes
    ----------
    dims : str
        A letter each.
    sizes : tuple of int
    """

    dims: str
    sizes: tuple[int, ...]

    def runs(self, chosen: dict[str, IntArray]) -> tuple[IntArray, IntArray]:
        """Return first elements and lengths of the runs of a tile: ascending, none touches another.

        Parameters
        ----------
        chosen : dict of str to int64 array
            Ascending positions along each dimension.
        """
        return runs([chosen[dim] for dim in self.dims], self.sizes)


def runs(chosen: Sequence[IntArray], sizes: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Return first elements and lengths of the runs of a rectangle of positions; see `Layout.runs`."""
    start, length = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int64)
    inner = 1
    for positions, size in zip(reversed(chosen), reversed(sizes), strict=True):
        if len(start) == 1 and length[0] == inner:  # all inside is taken: neighbours join
            start, length = (ends * inner for ends in _segments(positions))
        else:
            start = (positions[:, None] * inner + start).ravel()
            length = np.tile(length, len(positions))
        inner *= size
    return start, length


def _segments(positions: IntArray) -> tuple[IntArray, IntArray]:
    """First position and length of stretches of neighbours."""
    if len(positions) and positions[-1] - positions[0] + 1 == len(positions):
        return positions[:1], np.array([len(positions)])
    cuts = np.flatnonzero(np.diff(positions) != 1) + 1
    first = np.concatenate([positions[:1], positions[cuts]])
    return first, np.diff(np.append(cuts, len(positions)), prepend=0)[: len(first)]


def stored_bits(start: IntArray, length: IntArray, width: Fraction | int) -> tuple[IntArray, IntArray]:
    """Return first bit of runs of elements, and the bit behind each; runs without a bit are left out.

    Elements of a fraction of a bit lie at the rounded down multiple: compressed at one mean rate.
    """
    exact = Fraction(width)
    whole, part, of = (
        exact.numerator // exact.denominator,
        exact.numerator % exact.denominator,
        exact.denominator,
    )
    low, high = (at * whole + at * part // of for at in (start, start + length))
    some = high > low
    return low[some], high[some]


def extent(axis: Axis, rules: Rules) -> int:
    """Return the stored positions of an input axis, padding included where the rules fetch it."""
    if rules.padding == "skipped" or axis.transposed:
        return axis.inputs
    reach = (axis.outputs - 1) * axis.stride + (axis.window - 1) * axis.dilation + 1
    return max(axis.before + axis.inputs, reach)


def input_positions(axis: Axis, rules: Rules) -> Callable[[int, int], IntArray]:
    """Return a function (first output, end) -> stored input positions that these outputs fetch, ascending."""
    if axis.window == 1 and axis.stride == 1 and axis.before == 0 and axis.inputs == axis.outputs:
        return lambda first, end: np.arange(first, end, dtype=np.int64)
    padded = rules.padding == "fetched"
    if rules.untouched == "fetched":
        return _spanned(axis, padded)
    outputs, inputs = window_pairs(axis, padded)

    def touched(first: int, end: int) -> IntArray:
        found: IntArray = np.unique(inputs[(outputs >= first) & (outputs < end)])
        return found

    return touched


def _spanned(axis: Axis, padded: bool) -> Callable[[int, int], IntArray]:
    """All positions from the first to the last of the windows."""
    reach = (axis.window - 1) * axis.dilation

    def spanned(first: int, end: int) -> IntArray:
        if axis.transposed:
            low, high = (
                -(-(first + axis.before - reach) // axis.stride),
                (end - 1 + axis.before) // axis.stride,
            )
        else:
            low = first * axis.stride - axis.before
            high = (end - 1) * axis.stride - axis.before + reach
        if padded and not axis.transposed:
            return np.arange(low + axis.before, high + axis.before + 1, dtype=np.int64)
        return np.arange(max(low, 0), min(high, axis.inputs - 1) + 1, dtype=np.int64)

    return spanned
