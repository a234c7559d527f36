"""Cycles of lanes that each skip their own zeros and wait for the slowest beside them.

Work comes in rounds: in one, each lane walks its products, and the next begins when all are through.
How many weights a lane holds follows from the mask. Which inputs are zero is random, each independent of
all others (assumed): the busiest lane then takes what is expected of the largest of as many binomial
numbers (:mod:`energysim.occupancy`).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from energysim.kernels import DenseKernel, Histogram, IntArray, Kernel
from energysim.kernels.base import histogram
from energysim.occupancy import expected_most
from energysim.units import ceil_div
from energysim.workload import LoopNest

if TYPE_CHECKING:
    from energysim.mapping.hierarchy.walk import Walk

__all__ = ["expected_steps", "filter_rounds", "hierarchy_rounds", "row_groups", "shared_out"]


def expected_steps(rounds: Iterable[tuple[int, int]], density: Fraction, lanes: int) -> Fraction:
    """Return the steps of all rounds.

    Parameters
    ----------
    rounds : iterable of (int, int)
        Products of the busiest lane, and how many rounds are like that.
    density : Fraction
        Share of products that take time.
    lanes : int
        Lanes with inputs of their own.
    """
    return sum((times * expected_most(most, density, lanes) for most, times in rounds), Fraction(0))


def filter_rounds(nest: LoopNest, kernel: Kernel, filters: int) -> Histogram:
    """Return the rounds in which so many consecutive filters of a group run side by side.

    Returns
    -------
    tuple of (int, int)
        Weights of the filter that has most, and in how many sets of filters that is so.
    """
    if isinstance(kernel, DenseKernel):
        return ((nest.kernel.shape[1] * _taps(kernel), nest.groups * ceil_div(nest.filters, filters)),)
    each = kernel.mask().reshape(nest.groups, nest.filters, -1).sum(axis=2, dtype=np.int64)
    return histogram(np.maximum.reduceat(each, _starts(nest, filters), axis=1))


def row_groups(nest: LoopNest, kernel: Kernel, filters: int) -> int:
    """Return how many (channel, tap) rows sets of consecutive filters have weights for, over all sets."""
    if isinstance(kernel, DenseKernel):
        return sum(rows * sets for rows, sets in filter_rounds(nest, kernel, filters))
    used = kernel.mask().reshape(nest.groups, nest.filters, -1)
    return int(np.count_nonzero(np.logical_or.reduceat(used, _starts(nest, filters), axis=1)))


def _starts(nest: LoopNest, filters: int) -> IntArray:
    return np.arange(0, nest.filters, filters, dtype=np.int64)


def _taps(kernel: Kernel) -> int:
    return kernel.shape[2] * kernel.shape[3]


def shared_out(steps: int, rounds: int) -> Histogram:
    """Return rounds among which steps are shared out as evenly as whole numbers allow."""
    each, more = divmod(steps, rounds)
    return tuple((size, times) for size, times in ((each, rounds - more), (each + 1, more)) if times)


def hierarchy_rounds(walk: Walk) -> tuple[Histogram, int]:
    """Return the rounds of a mapping, and how many lanes have inputs of their own.

    A round is what the loops in time inside the innermost axis in use do, those over M apart: copies
    of them that reuse inputs have no zeros of their own. Lanes along M share their inputs, but not the
    places of their weights where those are skipped. That lanes wait for each other along all axes in
    every round is an upper bound: along an axis further out they wait less often.
    """
    loops = walk.tree.loops
    last = max((loop.place for loop in loops if loop.spatial), default=-1)
    own = "NGMCPQRS" if walk.skips else "NGCPQRS"
    lanes = 1
    for loop in loops:
        if loop.spatial and loop.dim in own:
            lanes *= loop.trips
    inside = [loop for loop in loops if not loop.spatial and loop.place > last and loop.dim != "M"]
    pixels = 1
    for loop in inside:
        pixels *= loop.trips if loop.dim in "NPQ" else 1
    if walk.skips:
        around = walk.visits("NPQ", [loop for loop in loops if not loop.spatial])
        found = walk.support.busiest(inside)
        return tuple((most * pixels, times * ceil_div(around, pixels)) for most, times in found), lanes
    draws = pixels
    for loop in inside:
        draws *= loop.trips if loop.dim not in "NPQ" else 1
    return ((draws, ceil_div(walk.steps(), draws)),), lanes
