"""Which products of a sparse layer exist, seen through the loops of a mapping.

Only hardware that skips the zeros of weights needs this; elsewhere every product is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import prod

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import Histogram
from energysim.kernels.base import histogram
from energysim.mapping.hierarchy.loops import LoopTree, PlacedLoop
from energysim.workload import LoopNest

__all__ = ["Support"]

_KERNEL = "GMCRS"


class Support:
    """The mask of a kernel with one array axis per loop over G, M, C, R or S.

    Parameters
    ----------
    nest : LoopNest
    tree : LoopTree
    """

    def __init__(self, nest: LoopNest, tree: LoopTree) -> None:
        by_dim = {dim: [loop for loop in tree.loops if loop.dim == dim] for dim in _KERNEL}
        full = [prod(loop.trips for loop in by_dim[dim]) for dim in _KERNEL]
        mask = nest.kernel.mask()
        shape = (nest.groups, nest.filters, *mask.shape[1:])
        padded = np.zeros(full, dtype=np.bool_)
        padded[tuple(slice(0, size) for size in shape)] = mask.reshape(shape)
        loops = [loop for dim in _KERNEL for loop in by_dim[dim]]
        split = padded.reshape([loop.trips for loop in loops])
        order = sorted(range(len(loops)), key=lambda i: tree.loops.index(loops[i]))
        self._loops = [loops[i] for i in order]
        self._mask: NDArray[np.bool_] = split.transpose(order)

    def count(
        self, merged: Callable[[PlacedLoop], bool], first: Callable[[PlacedLoop], bool] | None = None
    ) -> int:
        """Count positions of the loops at which some weight exists.

        Parameters
        ----------
        merged : callable
            Loops whose trips count as one position.
        first : callable, optional
            Loops of which only the first trip is looked at.
        """
        picked = tuple(0 if first and first(loop) else slice(None) for loop in self._loops)
        left = [loop for loop in self._loops if not (first and first(loop))]
        axes = tuple(i for i, loop in enumerate(left) if merged(loop))
        return int(np.count_nonzero(self._mask[picked].any(axis=axes)))

    def busiest(self, inside: Collection[PlacedLoop]) -> Histogram:
        """Return how many steps some loops in time take on the busiest lane, and how often.

        Parameters
        ----------
        inside : collection of PlacedLoop
            Loops whose steps add up; every trip of the others in time is a case of its own.
        """
        axes = tuple(i for i, loop in enumerate(self._loops) if loop in inside)
        busy = self._mask.sum(axis=axes, dtype=np.int64)
        left = [loop for loop in self._loops if loop not in inside]
        lanes = tuple(i for i, loop in enumerate(left) if loop.spatial)
        return histogram(busy.max(axis=lanes))

    def steps(self) -> int:
        """Steps that the lanes take if each skips its zeros and waits for the slowest beside it.

        Inside out: steps of a loop add up, the copies along an axis take as long as the busiest.
        """
        busy = self._mask.astype(np.int64)
        for loop in reversed(self._loops):
            busy = busy.max(axis=-1) if loop.spatial else busy.sum(axis=-1)
        return int(busy)
