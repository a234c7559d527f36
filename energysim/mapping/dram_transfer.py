"""What moves between DRAM and the chip at a time: the bursts and rows of some ranges of bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.row_buffers import spanned, spans

__all__ = ["DramSizes", "Transfer", "nothing", "transfer"]


@dataclass(frozen=True)
class DramSizes:
    """What of a DRAM matters to a stream of addresses.

    Attributes
    ----------
    burst_bits, row_bits : int
        A row is a whole number of bursts.
    banks, rows : int
        All banks, rows of each.
    interleaved : bool
        See :class:`energysim.mapping.row_buffers.RowBuffers`.
    """

    burst_bits: int
    row_bits: int
    banks: int
    rows: int
    interleaved: bool = True


@dataclass(frozen=True)
class Transfer:
    """Addresses in ascending order.

    Attributes
    ----------
    bursts : int
    rows : int64 array
        Ascending.
    first, last : int
        Number of the first and of the last burst.
    alone : bool
        Whether no other burst lies in the row of the first.
    elements : int
    """

    bursts: int
    rows: IntArray
    first: int = -1
    last: int = -1
    alone: bool = False
    elements: int = 0

    def behind(self, burst: int) -> tuple[int, IntArray]:
        """Bursts and rows if one burst is there already."""
        if self.first != burst:
            return self.bursts, self.rows
        return self.bursts - 1, self.rows[1:] if self.alone else self.rows


def nothing(elements: int = 0) -> Transfer:
    """Return a transfer that moves nothing."""
    return Transfer(0, np.empty(0, dtype=np.int64), elements=elements)


def transfer(low: IntArray, high: IntArray, sizes: DramSizes, elements: int = 0) -> Transfer:
    """Return what it takes to move ranges of bits.

    Parameters
    ----------
    low, high : int64 arrays
        First bit of each range and the bit behind it, ascending, none empty.
    sizes : DramSizes
    elements : int
        How many elements that is.
    """
    if not len(low):
        return nothing(elements)
    burst, row = sizes.burst_bits, sizes.row_bits
    each = row // burst
    if len(low) == 1:
        start, end = int(low[0]), int(high[0]) - 1
        first, last = start // burst, end // burst
        alone = first == last or (first + 1) % each == 0
        return Transfer(
            last - first + 1, np.arange(start // row, end // row + 1), first, last, alone, elements
        )
    end_bits = high - 1
    firsts, lasts = low // burst, end_bits // burst
    beyond = np.maximum(firsts, firsts[0] + 1)
    others = beyond[beyond <= lasts]
    return Transfer(
        spanned(firsts, lasts),
        spans(low // row, end_bits // row),
        int(firsts[0]),
        int(lasts[-1]),
        not len(others) or int(others[0]) // each != int(firsts[0]) // each,
        elements,
    )
