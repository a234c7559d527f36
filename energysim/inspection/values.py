"""The values of weights: how many different ones, whether they lie on a grid, what repeats.

Distinct values are counted up to 65536, the number of 16-bit values; more count as continuous. Nonzero
values on one grid are ``step * k`` for whole k: what uniform quantisation makes (Jacob et al., CVPR 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_VALUES", "Repeats", "Values", "find_repeats", "find_values"]

MOST_VALUES = 1 << 16
_CHUNK = 1 << 18
#: A value may lie off its grid by rounding of the float32 (24 bits) it is stored in, and of its step.
_OFF_GRID = 2.0**-22


@dataclass(frozen=True)
class Values:
    """Values that are not 0.

    Attributes
    ----------
    distinct : int or None
        Different values that are not 0; None if there are more than 65536.
    kind : str
        ``binary`` (a and -a, no zeros), ``ternary`` (those and 0), ``one value``, ``grid``,
        ``levels`` (few values, on no grid) or ``continuous``.
    bits : int or None
        Two's complement bits of the grid's k; for ``levels`` of an index into a table of the values.
    step : float or None
        Spacing of the grid.
    """

    distinct: int | None
    kind: str
    bits: int | None = None
    step: float | None = None


@dataclass(frozen=True)
class Repeats:
    """Values that occur more than once as a whole.

    Attributes
    ----------
    filters : int
        Filters equal to an earlier one; empty ones are left out.
    windows : int or None
        R x S windows equal to an earlier one, empty ones left out; None for 1 x 1 windows.
    """

    filters: int
    windows: int | None


def find_values(weights: NDArray[Any]) -> Values:
    """Return what is to say about the values of an array."""
    levels = _levels(weights.reshape(-1))
    if levels is None:
        return Values(None, "continuous")
    has_zero = bool((levels == 0).any())
    some = levels[levels != 0].astype(np.float64)
    count = int(some.size)
    if count == 0:
        return Values(0, "zero")
    if count == 1:
        return Values(1, "one value", 1, float(abs(some[0])))
    if count == 2 and some[0] == -some[1]:
        return Values(2, "ternary" if has_zero else "binary", 2 if has_zero else 1, float(abs(some[0])))
    # Nearly as many values as weights say nothing: a tensor of random numbers has them too.
    if 4 * count > np.count_nonzero(weights):
        return Values(count, "continuous")
    step = _step(some)
    if step is not None:
        low, high = round(float(some.min()) / step), round(float(some.max()) / step)
        bits = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1
        return Values(count, "grid", bits, step)
    return Values(count, "levels", (count + has_zero - 1).bit_length())


def _levels(flat: NDArray[Any]) -> NDArray[Any] | None:
    """The distinct values, ascending; None if there are too many."""
    found = np.empty(0, dtype=flat.dtype)
    for start in range(0, flat.size, _CHUNK):
        found = np.unique(np.concatenate([found, np.unique(flat[start : start + _CHUNK])]))
        if found.size > MOST_VALUES + 1:
            return None
    return found


def _step(values: NDArray[np.float64]) -> float | None:
    """The largest step that all values are whole multiples of, up to rounding; None if none gives 16 bits."""
    sizes = np.unique(np.concatenate([np.abs(values), np.diff(values)]))
    top = float(np.abs(values).max())
    off = top * _OFF_GRID
    step = float(sizes[sizes > 2 * off].min(initial=top))
    for _ in range(64):  # Euclid's algorithm: what is left over is a smaller step
        times = top / step
        if times > MOST_VALUES // 2:
            return None
        if abs(times - round(times)) < 0.05:  # the largest value gives the step most exactly
            step = top / round(times)
        rest = np.abs(values - np.rint(values / step) * step)
        if float(rest.max()) <= off:
            return step
        step = float(rest[rest > off].min())
    return None


def find_repeats(weights: NDArray[Any]) -> Repeats:
    """Return how many filters and windows equal an earlier one; the array has shape (M, C, taps)."""
    m, c, taps = weights.shape
    filters = _repeated_rows(weights.reshape(m, c * taps))
    windows = None if taps == 1 else _repeated_windows(weights.reshape(m * c, taps))
    return Repeats(filters, windows)


def _repeated_rows(rows: NDArray[Any]) -> int:
    """Rows equal to an earlier one. Only those that begin alike are compared whole."""
    begins: dict[bytes, list[int]] = {}
    for number, row in enumerate(np.ascontiguousarray(rows[:, :64]) + 0):
        begins.setdefault(row.tobytes(), []).append(number)
    repeated = 0
    for members in begins.values():
        if len(members) > 1:
            wholes = [(rows[i] + 0).tobytes() for i in members if rows[i].any()]
            repeated += len(wholes) - len(set(wholes))
    return repeated


def _repeated_windows(windows: NDArray[Any]) -> int:
    """Windows equal to an earlier one: sums of products as keys, then those with a common key compared."""
    keys = _keys(windows)
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    touched = np.zeros(keys.size, dtype=np.bool_)
    touched[1:] |= same
    touched[:-1] |= same
    chosen = windows[order[touched]]
    chosen = np.ascontiguousarray(chosen[(chosen != 0).any(axis=1)]) + 0
    if not chosen.size:
        return 0
    opaque = chosen.view(np.dtype((np.void, chosen[0].nbytes)))[:, 0]
    return int(opaque.size - np.unique(opaque).size)


def _keys(windows: NDArray[Any]) -> NDArray[np.uint64]:
    """A number for each window that is equal for equal windows, and nearly never for others."""
    keys = np.zeros(len(windows), dtype=np.uint64)
    factor = 0x9E3779B97F4A7C15
    for tap in range(windows.shape[1]):
        column = windows[:, tap].astype(np.float64).view(np.uint64) + np.uint64(0)
        column[windows[:, tap] == 0] = 0  # -0.0 is 0
        keys += (column ^ (column >> np.uint64(29))) * np.uint64(factor)
        factor = factor * 0xD1342543DE82EF95 % 2**64 | 1
    return keys
