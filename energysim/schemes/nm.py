"""``nm:2:4``: of each M consecutive weights N are kept.

Sources: Zhou et al., "Learning N:M Fine-grained Structured Sparse Neural Networks From Scratch", ICLR
2021; 2:4 along the input channels, with two places of two bits for each four weights, is what sparse
tensor cores take (Mishra et al., arXiv 2104.08378, 2021). Multiply-adds and values are N/M of the dense
ones; N*ceil(log2 M) bits a group are stored beside them (format ``nm``).

``order`` says along which weights groups are counted off: ``channels`` (the default: input channels of one
filter and tap), ``filters``, ``channel-tap`` or ``tap-channel`` (all weights of a filter, taps or channels
innermost). A layer whose lines M does not divide stays dense.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from energysim.errors import SchemeError
from energysim.hardware.quantities import show
from energysim.kernels import Kernel, StoredKernel, WeightShape, group_support
from energysim.kernels.thinned import Costs
from energysim.orders import ORDERS, line_length
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.parameters import check_range, read_parameters
from energysim.schemes.thinning import SHARED, Thinning, one_word, shared_values

__all__ = ["KIND", "NM", "parse"]

_LARGEST = 64
_ACCEPTED = {"order": "|".join(ORDERS), **SHARED}


@dataclass(frozen=True)
class NM(Thinning):
    """N of M consecutive weights.

    Parameters
    ----------
    kept, size : int
        N and M, 1 to 64, N no more than M.
    order : str
        One of :data:`energysim.orders.ORDERS`.

    Raises
    ------
    SchemeError
        For any other value.
    """

    kept: int = 2
    size: int = 4
    order: str = "channels"

    def __post_init__(self) -> None:
        check_range("nm", "M", self.size, 1, _LARGEST)
        check_range("nm", "N", self.kept, 1, _LARGEST)
        if self.kept > self.size:
            raise SchemeError(f"nm:{self.kept}:{self.size} would keep {self.kept} of {self.size} weights")
        one_word("nm", "order", self.order, tuple(ORDERS))
        self.check_shared("nm")

    def __str__(self) -> str:
        order = "" if self.order == "channels" else f",order={self.order}"
        return f"nm:{self.kept}:{self.size}{order}{self.shared_text()}"

    def support(self, shape: WeightShape, costs: Callable[[], Costs]) -> Kernel | str:
        """See :meth:`Thinning.support`."""
        line = line_length(shape, self.order)
        if line % self.size:
            return f"groups of {self.size} do not divide {line} {ORDERS[self.order].partition(' of ')[0]}"
        if self.kept == self.size:
            return "every position would be kept"
        found = group_support(costs(), self.kept, self.size, self.order)
        return StoredKernel(found, f"nm:kept={self.kept},size={self.size},order={self.order}")


def parse(text: str) -> NM:
    """Return the scheme written behind ``nm:``, N:M first.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    head, _, rest = (part.strip() for part in text.partition(","))
    named = re.fullmatch("([0-9]{1,9}) *: *([0-9]{1,9})", head)
    if named is None:
        raise SchemeError(f"scheme 'nm' is written nm:2:4, N of M weights, not {show(f'nm:{text}')}")
    given = read_parameters("nm", rest, _ACCEPTED)
    order = given.get("order", NM.order)
    return NM(kept=int(named[1]), size=int(named[2]), order=order, **shared_values("nm", given))


KIND = SchemeKind(
    parse, "N of M consecutive weights (Zhou et al. 2021)", ("nm:2:4", "nm:1:4", "nm:2:8,order=tap-channel")
)
