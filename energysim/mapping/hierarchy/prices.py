"""What the words of a mapping cost, for the search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.states import Floats

__all__ = ["Objective", "Prices"]

#: (costs (n, resources), lanes (n,)) -> values (n,); must not decrease with costs, nor increase with lanes.
Objective = Callable[[Floats, IntArray], Floats]


@dataclass(frozen=True)
class Prices:
    """What a word costs.

    Attributes
    ----------
    of : dict of (str, str, str) to tuple of float
        (level or axis, tensor, action) -> one number per resource: the energy of a word first,
        then its bits in each memory that has a bandwidth, or whatever else adds up.
    owner : tuple of int
        Place of the memory a resource belongs to, so that its copies share the load; -1 for none.
    fed : dict of (str, str) to float
        (level or axis, tensor) -> what a word that multipliers take or give costs there, as a share of
        the price of others; 1 where it does not stand.
    """

    of: dict[tuple[str, str, str], tuple[float, ...]]
    owner: tuple[int, ...]
    fed: dict[tuple[str, str], float] = field(default_factory=dict)

    def share(self, name: str, tensor: str, products: bool) -> float:
        """Of the price of a word, what one for or from the multipliers costs, if that is what it is."""
        return self.fed.get((name, tensor), 1.0) if products else 1.0

    def __call__(self, name: str, tensor: str, *actions: str) -> Floats:
        """The price of some actions together."""
        zero = (0.0,) * len(self.owner)
        total = np.zeros(len(self.owner))
        for action in actions:
            total += self.of.get((name, tensor, action), zero)
        return total
