"""How little DRAM traffic a layer can have, whatever the schedule: a bound that no mapping beats.

A phase is a stretch of the run that reads 2 S bits from DRAM, S being the bits on the chip. In
it at most 3 S bits are at hand: w_W F + w_I I + w_O O <= 3 S for F weights, I inputs and O sums of
w_W, w_I and w_O bits (a sum that is begun counts as read), so F I O <= S^3 / (w_W w_I w_O).

One 2D kernel (f, c) uses an input of one stride-residue class with the taps of that class only. F'
held taps of a class with t kept ones, I' inputs and O' sums meet in at most F' min(I', O')
<= sqrt(t) sqrt(F' I' O') products. Divided by sqrt(t) and summed over kernels and classes,
Cauchy-Schwarz gives: the sum of 1/sqrt(t) over the products of a phase is at most sqrt(F I O).
With X that sum over all products of the layer there are at least X / sqrt(S^3 / (w_W w_I w_O)) - 1
whole phases of 2 S bits, and

    traffic >= 2 X sqrt(w_W w_I w_O / S) - 2 S.

The begun sums that were counted as read are made up for by the finished outputs that are written.
Groups and batch need no case of their own: the sums over them obey the same inequality. A product
with padding does not count: padding is never fetched. For a matrix product this is the bound of
Smith, Lowery, Langou, van de Geijn (arXiv 1702.02017, 2017): 2 M N K / sqrt(S) - 2 S in words;
the order is due to Hong and Kung (STOC 1981).
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np

from energysim.kernels import Histogram, IntArray
from energysim.windows import Axis
from energysim.workload import LoopNest

__all__ = ["products_by_taps", "traffic_bound_bits"]

#: Binary digits kept of each square root; what is cut off lowers the bound.
_DIGITS = 64


def products_by_taps(nest: LoopNest) -> Histogram:
    """Return the products of a layer by t, the kept taps of their kernel in their residue class.

    Returns
    -------
    tuple of (t, products)
        t ascending; products with padding are left out.
    """
    rows, cols = _inside(nest.rows), _inside(nest.cols)
    meetings = np.outer(rows, cols).reshape(-1)  # products of one tap of one window
    down, across = _residues(nest.rows), _residues(nest.cols)
    classes = (down[:, None] * (int(across.max()) + 1) + across).reshape(-1)
    totals: dict[int, int] = {}
    for taps, windows in nest.kernel.patterns():
        kept = classes[list(taps)]
        for residue in set(kept.tolist()):
            mine = [tap for tap, found in zip(taps, kept, strict=True) if found == residue]
            products = windows * nest.batch * sum(int(meetings[tap]) for tap in mine)
            totals[len(mine)] = totals.get(len(mine), 0) + products
    return tuple(sorted((taps, products) for taps, products in totals.items() if products))


def traffic_bound_bits(
    nest: LoopNest,
    capacity_bits: int,
    weight_bits: Fraction,
    input_bits: Fraction,
    output_bits: Fraction,
    sum_bits: int,
) -> int:
    """Return bits that must pass between DRAM and the chip, at least 0; see the module for the proof.

    Parameters
    ----------
    nest : LoopNest
    capacity_bits : int
        All the memory on the chip [bit].
    weight_bits, input_bits, output_bits : Fraction
        The least an element takes, in DRAM or on the chip [bit].
    sum_bits : int
        What an unfinished sum takes [bit].

    Notes
    -----
    Sums are wider than finished outputs. They may be taken at their width and the difference given
    back once per output, or at the width of outputs: the larger of both bounds is returned.
    """
    spread = products_by_taps(nest)
    narrow = min(output_bits, Fraction(sum_bits))
    best = Fraction(0)
    for width in {narrow, Fraction(sum_bits)}:
        scale = 4 * weight_bits * input_bits * width / capacity_bits
        roots = sum(_root(scale * products**2 / taps) for taps, products in spread)
        given_back = nest.output_elements * (width - narrow)
        best = max(best, roots - 2 * capacity_bits - given_back)
    return int(best)


def _root(value: Fraction) -> Fraction:
    """A square root, cut off after _DIGITS binary digits: exact integers, the same on any machine."""
    return Fraction(isqrt((value.numerator << 2 * _DIGITS) // value.denominator), 1 << _DIGITS)


def _inside(axis: Axis) -> IntArray:
    """How many positions of a window meet data, not padding, for each tap; shape (window,)."""
    size = axis.outputs if axis.transposed else axis.inputs
    steps = np.arange(axis.positions, dtype=np.int64) * axis.stride - axis.before
    met = steps[:, None] + np.arange(axis.window, dtype=np.int64) * axis.dilation
    return np.asarray(((met >= 0) & (met < size)).sum(axis=0), dtype=np.int64)


def _residues(axis: Axis) -> IntArray:
    """The stride-residue class of each tap; shape (window,)."""
    return np.arange(axis.window, dtype=np.int64) * axis.dilation % axis.stride
