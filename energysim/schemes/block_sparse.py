"""``block``: whole blocks of filters x channels are kept, at one tap or with all taps of the window.

Sources: Narang, Undersander, Diamos, "Block-Sparse Recurrent Neural Networks", arXiv 1711.02782, 2017;
Gray, Radford, Kingma, "GPU Kernels for Block-Sparse Weights", 2017. Of B blocks floor(density * B) are
kept (assumed; at least one). A bitmap of one bit a block is stored beside the values (format ``blocks``);
blocks at the edge are smaller where the sizes do not divide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from energysim.errors import SchemeError
from energysim.hardware.quantities import show
from energysim.kernels import Kernel, StoredKernel, WeightShape, block_support
from energysim.kernels.thinned import Costs
from energysim.schemes.catalog import SchemeKind
from energysim.schemes.parameters import check_range, fraction, fraction_text, read_parameters
from energysim.schemes.thinning import SHARED, Thinning, one_word, shared_values
from energysim.units import ceil_div

__all__ = ["KIND", "BlockSparse", "parse"]

_LARGEST = 4096
_ACCEPTED = {"density": "0..1", "taps": "one|all", **SHARED}


@dataclass(frozen=True)
class BlockSparse(Thinning):
    """Blocks of weights.

    Parameters
    ----------
    rows, cols : int
        Filters and channels of a block, 1 to 4096.
    density : Fraction
        Share of the blocks that is kept, above 0 and at most 1.
    taps : {"one", "all"}
        Whether a block is at one tap or holds whole windows.

    Raises
    ------
    SchemeError
        For any other value.
    """

    rows: int = 16
    cols: int = 16
    density: Fraction = Fraction(1, 2)
    taps: str = "one"

    def __post_init__(self) -> None:
        check_range("block", "rows", self.rows, 1, _LARGEST)
        check_range("block", "columns", self.cols, 1, _LARGEST)
        if not 0 < self.density <= 1:
            raise SchemeError(
                f"density of scheme 'block' is above 0 and at most 1, not {fraction_text(self.density)}"
            )
        one_word("block", "taps", self.taps, ("one", "all"))
        self.check_shared("block")

    def __str__(self) -> str:
        taps = "" if self.taps == "one" else ",taps=all"
        size = f"{self.rows}x{self.cols}"
        return f"block:{size},density={fraction_text(self.density)}{taps}{self.shared_text()}"

    def support(self, shape: WeightShape, costs: Callable[[], Costs]) -> Kernel | str:
        """See :meth:`Thinning.support`."""
        blocks = ceil_div(shape[0], self.rows) * ceil_div(shape[1], self.cols)
        blocks *= shape[2] * shape[3] if self.taps == "one" else 1
        kept = max(1, int(self.density * blocks))
        if kept == blocks:
            return "every position would be kept"
        found = block_support(costs(), self.rows, self.cols, kept, taps=self.taps)
        return StoredKernel(found, f"blocks:rows={self.rows},cols={self.cols},taps={self.taps}")

    def assumptions(self) -> tuple[str, ...]:
        """Return which parts of the scheme rest on no source."""
        return (f"{self}: the number of blocks kept is rounded down",)


def parse(text: str) -> BlockSparse:
    """Return the scheme written behind ``block:``, its size first if it is given.

    Raises
    ------
    SchemeError
        For any parameter that cannot be used.
    """
    head, _, rest = (part.strip() for part in text.partition(","))
    named = re.fullmatch("([0-9]{1,9})x([0-9]{1,9})", head)
    if named is None and head and "=" not in head and head not in _ACCEPTED:
        raise SchemeError(f"scheme 'block' is written block:16x16,density=0.5, not {show(f'block:{text}')}")
    given = read_parameters("block", text if named is None else rest, _ACCEPTED)
    found = shared_values("block", given)
    if named is not None:
        found.update(rows=int(named[1]), cols=int(named[2]))
    if "density" in given:
        found["density"] = fraction("block", "density", given["density"])
    if "taps" in given:
        found["taps"] = given["taps"]
    return BlockSparse(**found)


KIND = SchemeKind(
    parse,
    "whole blocks of filters x channels (Narang et al. 2017)",
    ("block:16x16,density=0.5", "block:8x4,density=0.25,taps=all"),
)
