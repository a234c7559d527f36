"""Which accesses find their row open: the state of every bank, for many accesses at once."""

from __future__ import annotations

import numpy as np

from energysim.kernels import IntArray

__all__ = ["RowBuffers", "spanned", "spans"]


class RowBuffers:
    """The open rows of all banks, none at first; a row stays open until its bank opens another.

    Parameters
    ----------
    banks, rows : int
        Banks, and rows of each.
    interleaved : bool
        Whether rows that follow each other lie in different banks (``row:bank:column``).
    """

    def __init__(self, banks: int, rows: int, *, interleaved: bool = True) -> None:
        self.banks, self.rows, self.interleaved = banks, rows, interleaved
        self._open = np.full(banks, -1, dtype=np.int64)

    def visit(self, numbers: IntArray) -> IntArray:
        """Return which of the rows visited one after the other had to be opened, as 0 or 1.

        Parameters
        ----------
        numbers : int64 array
            Rows in the order of their addresses, counted over all banks.
        """
        if self.interleaved:
            bank, row = numbers % self.banks, numbers // self.banks
        else:
            bank, row = numbers // self.rows, numbers % self.rows
        order = np.argsort(bank, kind="stable")
        bank, row = bank[order], row[order]
        first = np.ones(len(bank), dtype=np.bool_)
        first[1:] = bank[1:] != bank[:-1]
        before = np.empty_like(row)
        before[1:] = row[:-1]
        before[first] = self._open[bank[first]]
        opened = np.empty(len(bank), dtype=np.int64)
        opened[order] = row != before
        last = np.ones_like(first)
        last[:-1] = first[1:]
        self._open[bank[last]] = row[last]
        return opened


def spanned(first: IntArray, last: IntArray) -> int:
    """Return how many units ascending ranges span, both ends included, each unit once."""
    return int(np.maximum(last - _anew(first, last) + 1, 0).sum())


def spans(first: IntArray, last: IntArray) -> IntArray:
    """Return these units.

    Ranges may overlap in one unit: the last of one may be the first of the next.
    """
    start = _anew(first, last)
    count = np.maximum(last - start + 1, 0)
    found: IntArray = np.repeat(start - (count.cumsum() - count), count) + np.arange(int(count.sum()))
    return found


def _anew(first: IntArray, last: IntArray) -> IntArray:
    """The first unit of each range that the range before it has not taken."""
    start = first.copy()
    start[1:] += first[1:] == last[:-1]
    return start
