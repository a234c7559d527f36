"""Rows of whole numbers that are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from energysim.kernels import IntArray

__all__ = ["distinct"]

#: Keys below this are looked up in a table of that length, not sorted.
_TABLE = 1 << 20


def distinct(columns: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Return one row of each kind, and for each row the number of its kind.

    Parameters
    ----------
    columns : sequence of int64 arrays (n,)
        With n of 1 or more.

    Returns
    -------
    first : int64 array (kinds,)
        A row of each kind.
    kind : int64 array (n,)
    """
    key, span = np.zeros(len(columns[0]), dtype=np.int64), 1
    for column in columns:
        low = int(column.min())
        base = int(column.max()) - low + 1
        if base == 1:
            continue
        shifted = column - low
        if base > 1 << 31:  # too wide to be put beside others
            _, shifted = np.unique(shifted, return_inverse=True)
            base = int(shifted.max()) + 1
        if span * base >= 1 << 62:
            _, key = np.unique(key, return_inverse=True)
            span = int(key.max()) + 1
        key = key * base + shifted
        span *= base
    if span <= _TABLE:
        table = np.full(span, -1, dtype=np.int64)
        table[key] = np.arange(len(key), dtype=np.int64)
        used = np.flatnonzero(table >= 0)
        first = table[used]
        table[used] = np.arange(len(used), dtype=np.int64)
        return first, table[key]
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)
