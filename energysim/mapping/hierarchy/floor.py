"""What no mapping stays below, whatever bypasses the levels: a bound that takes no time.

Every product reads its operands from some level and updates a sum there, together with as many copies as
can share a word; every word that exists passes the outermost level once.
"""

from __future__ import annotations

from math import prod

import numpy as np

from energysim.hardware.hierarchy import TENSORS, SpatialAxis, TemporalLevel
from energysim.mapping.hierarchy.moves import Moves
from energysim.mapping.hierarchy.problem import Problem
from energysim.mapping.hierarchy.states import COLUMN, Floats
from energysim.mapping.hierarchy.steps import FREE

__all__ = ["least_of_any"]


def least_of_any(problem: Problem) -> float:
    """Return what no mapping stays below."""
    hierarchy, nest, prices = problem.hierarchy, problem.nest, problem.prices
    weights = nest.kernel.nonzeros if problem.stored_only else prod(nest.kernel.shape)
    planes = nest.batch * nest.groups * nest.channels
    words = dict(zip(TENSORS, (weights, planes * problem.images.touched, nest.output_elements), strict=True))
    outermost = hierarchy.levels[0].name
    cost = np.zeros(len(prices.owner))
    for tensor in TENSORS:
        action = "update" if tensor == "outputs" else "read"
        least: Floats = np.full(len(cost), np.inf)
        for place, node in enumerate(hierarchy.nodes):
            if not isinstance(node, TemporalLevel) or tensor in node.bypass:
                continue
            share = prices.share(node.name, tensor, True) / _copies(problem, place, tensor)
            found = problem.products * share * prices(node.name, tensor, action)
            if place:
                found = found + words[tensor] * prices(outermost, tensor, action)
            least = np.minimum(least, found)
        cost += least
    for resource, owner in enumerate(prices.owner):
        if owner >= 0:  # shared out to copies: not looked at
            cost[resource] = 0.0
    lanes = np.array([max(1, min(hierarchy.lanes, nest.dense_macs))])
    return float(problem.objective(cost[None], lanes)[0])


def _copies(problem: Problem, place: int, tensor: str) -> int:
    """Multipliers that get one word of a level together at most."""
    axes = [n for n in problem.hierarchy.nodes[place:] if isinstance(n, SpatialAxis) and tensor in n.shared]
    if tensor == "inputs" and any(Moves.joins(axis) for axis in axes):
        return prod(axis.size for axis in axes)
    loops = prod(problem.lattice.sizes[COLUMN[dim]] for dim in FREE[tensor])
    return min(loops, prod(axis.size for axis in axes))
