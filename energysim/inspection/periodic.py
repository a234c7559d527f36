"""Supports that repeat with a period within and across filters, from the mask alone.

The window of filter f and channel c has the support of its *slot*. Two kinds of rules are looked for:

* ``(f + c + 1) mod P``, the rule of pSConv (see :mod:`energysim.kernels.periodic`): windows of one
  anti-diagonal f + c are alike. Nonzeros are counted by diagonal and tap once; for each P the diagonals
  are folded. Any P from 1 to 64, whether it divides M and C or not.
* any other rule that is periodic in f and in c. The shifts (df, dc) that leave such a mask as it is form
  a lattice; its Hermite form is a period P along one axis, and a number of steps g along the other after
  which the mask returns moved by s: ``slot = (f mod g) P + (c + s (f div g)) mod P``, or the same with f
  and c swapped. Shifts are found by comparing words of windows, on a part of the tensor first.

A fit is a table (slot -> taps) with two kinds of exceptions: nonzeros *outside* it, and *zeros* inside it,
weights the scheme keeps that happen to be 0. A tap belongs to a slot if at least half of its windows have
it. An exact fit whose slots all come back goes before others, then the shortest description wins. None is
returned unless it is significant (:mod:`energysim.inspection.evidence`): its table, its exceptions and its
name together are shorter than the mask by 40 bits. Against windows in a random order a table only has to
say which of the supports that occur each slot has: the supports themselves are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energysim.inspection.evidence import choices, claimed
from energysim.inspection.support import IntArray, Support, ones
from energysim.kernels import PeriodicKernel, WeightShape

__all__ = ["LONGEST", "MOST_EXCEPTIONS", "Periodic", "Rule", "find_period"]

#: The longest period looked for; the longest that ``psconv:patterns=`` takes.
LONGEST = 64
#: Exceptions a fit may have: one for so many weights it keeps.
MOST_EXCEPTIONS = 20
#: Bits to name a rule: its kind, and three numbers of at most 64.
_NAME_BITS = 20
#: Windows along each axis of the part on which shifts are tried.
_PART = 192


@dataclass(frozen=True)
class Rule:
    """Which slot a window has: ``(u mod steps) * period + (v + shift * (u div steps)) mod period``.

    u is the filter f and v the channel c; the other way round if ``swapped``.
    """

    period: int
    steps: int = 1
    shift: int = 1
    swapped: bool = False

    @property
    def diagonal(self) -> bool:
        """Whether this is the rule of pSConv, (f + c + 1) mod P."""
        return self.steps == 1 and self.shift % self.period == 1 % self.period

    @property
    def slots(self) -> int:
        return self.period * self.steps

    def __str__(self) -> str:
        if self.diagonal:
            return f"(f + c + 1) mod {self.period}"
        u, v = ("c", "f") if self.swapped else ("f", "c")
        if self.steps == 1:
            return f"({_term(self.shift, u)}{v}) mod {self.period}"
        if self.shift == 0:
            return f"({u} mod {self.steps}, {v} mod {self.period})"
        moved = (
            f"({v} + {_term(self.shift, f'({u} div {self.steps})').removesuffix(' + ')}) mod {self.period}"
        )
        return f"({u} mod {self.steps}, {moved})"

    def slot(self, filters: IntArray, channels: IntArray) -> IntArray:
        """Return the slots of windows; pSConv counts them from 1 at f = c = 0."""
        u, v = (channels, filters) if self.swapped else (filters, channels)
        if self.diagonal:
            return np.asarray((filters + channels + 1) % self.period)
        column = (v + self.shift * (u // self.steps)) % self.period
        return np.asarray((u % self.steps) * self.period + column)


def _term(factor: int, what: str) -> str:
    if factor == 0:
        return ""
    return f"{what} + " if factor == 1 else f"{factor} {what} + "


@dataclass(frozen=True)
class Periodic:
    """A periodic fit of a mask.

    Attributes
    ----------
    rule : Rule
    slots : tuple of tuple of int
        Kept taps of each slot, r * S + s.
    taps : int
        R * S.
    outside : int
        Nonzeros the table has no place for.
    zeros : int
        Weights inside the table that are 0.
    saved_bits : int
        Bits by which the mask is shorter so described, under the stricter of two nulls (rounded down).
    repeated : bool
        Whether all slots come back within the tensor; if not, no longer period can be told from it.
    """

    rule: Rule
    slots: tuple[tuple[int, ...], ...]
    taps: int
    outside: int
    zeros: int
    saved_bits: int
    repeated: bool

    @property
    def exact(self) -> bool:
        """Whether the mask is exactly this table."""
        return not self.outside and not self.zeros

    @property
    def certain(self) -> bool:
        """Whether it is exact, and every slot comes back to show it."""
        return self.exact and self.repeated

    @property
    def period(self) -> int:
        """P, the number of slots."""
        return len(self.slots)

    @property
    def dense_slots(self) -> tuple[int, ...]:
        """Slots that keep every tap."""
        return tuple(number for number, slot in enumerate(self.slots) if len(slot) == self.taps)

    @property
    def kss(self) -> int | None:
        """Kernel support size: weights of every slot that is not dense, None if they differ."""
        sizes = {len(slot) for slot in self.slots} - {self.taps}
        return sizes.pop() if len(sizes) == 1 else None

    def kernel(self, shape: WeightShape) -> PeriodicKernel | None:
        """Return the table as a kernel, None if the rule is not that of pSConv."""
        return PeriodicKernel(shape, self.slots) if self.rule.diagonal else None


def find_period(support: Support) -> Periodic | None:
    """Return the periodic structure of a mask, or None if there is none.

    An exact fit by the rule of pSConv is preferred, then another exact one, then the shortest
    description; exact only counts if all slots come back, for a table as large as the tensor is
    always exact.
    """
    if not 0 < support.nonzeros < support.mask.size:
        return None
    best = _diagonal(support)
    if best is not None and best.certain:
        return best
    found = [fit for fit in (best, *_lattices(support)) if fit is not None]
    return min(found, key=lambda fit: (not fit.certain, -fit.saved_bits), default=None)


def _diagonal(support: Support) -> Periodic | None:
    """The best fit of (f + c + 1) mod P."""
    m, c = support.shape[:2]
    diagonals = m + c - 1
    counts = np.zeros((diagonals, support.taps), dtype=np.int64)
    by_row, rows = (support.mask, m) if m <= c else (support.mask.swapaxes(0, 1), c)
    width = max(m, c)
    for row in range(rows):
        counts[row : row + width] += by_row[row]
    at = np.arange(diagonals)
    lengths = np.minimum(np.minimum(at + 1, at[::-1] + 1), rows)
    best: Periodic | None = None
    for period in range(1, min(LONGEST, diagonals) + 1):
        used = np.zeros((period, support.taps), dtype=np.int64)
        windows = np.zeros(period, dtype=np.int64)
        np.add.at(used, (at + 1) % period, counts)
        np.add.at(windows, (at + 1) % period, lengths)
        fit = _fit(support, Rule(period), used, windows, diagonals >= 2 * period)
        if fit is None:
            continue
        if fit.certain:
            return fit  # the first is the shortest, and its multiples say no more
        if best is None or fit.saved_bits > best.saved_bits:
            best = fit
    return best


def _fit(support: Support, rule: Rule, used: IntArray, windows: IntArray, repeated: bool) -> Periodic | None:
    """The table of a rule with its exceptions; None if there are too many, or nothing is gained.

    ``used`` counts nonzeros by slot and tap, ``windows`` the windows of each slot.
    """
    kept = (2 * used >= windows[:, None]) & (used > 0)
    outside = int(used[~kept].sum())
    inside = int((kept * windows[:, None]).sum())
    zeros = inside - (support.nonzeros - outside)
    if (outside + zeros) * MOST_EXCEPTIONS > support.nonzeros:
        return None
    exceptions = choices(inside, zeros) + choices(support.mask.size - inside, outside)
    table = kept[windows > 0]
    saved = support.free_bits - _NAME_BITS - _table_bits(table) - exceptions
    if len({row.tobytes() for row in table}) > 1:  # with one support for all there is no order to explain
        which = _table_bits(table)
        if not outside and not zeros:  # then every support of the table occurs
            which = min(which, len(table) * (len(support.pattern_counts) - 1).bit_length())
        saved = min(saved, support.order_bits - _NAME_BITS - which - exceptions)
    if outside or zeros:
        saved -= 2 * np.log2(support.nonzeros + 1)  # how many exceptions there are
    if not claimed(saved):
        return None
    slots = tuple(tuple(int(tap) for tap in np.flatnonzero(row)) for row in kept)
    return Periodic(rule, slots, support.taps, outside, zeros, int(saved), repeated)


def _table_bits(kept: NDArray[np.bool_]) -> int:
    """Bits of a table of slots: the taps of each, or the different ones and which of them each has."""
    slots, taps = kept.shape
    different = len({row.tobytes() for row in kept})
    listed = different * taps + slots * (different - 1).bit_length()
    return int(1 + min(slots * taps, listed + slots.bit_length()))


def _lattices(support: Support) -> Iterator[Periodic | None]:
    """Fits by any other rule, the filters as rows, then the channels; without exceptions, then with."""
    for allowed in (0.0, 4 / MOST_EXCEPTIONS):  # a wrong weight shows in two comparisons
        for swapped in (False, True):
            words = support.words.swapaxes(0, 1) if swapped else support.words
            rule = _lattice(words, swapped, allowed)
            if rule is None or rule.diagonal:
                continue
            mask = support.mask.swapaxes(0, 1) if swapped else support.mask
            used, windows = _fold(mask, rule)
            yield _fit(support, rule, used, windows, repeated=True)


def _lattice(words: NDArray[Any], swapped: bool, allowed: float) -> Rule | None:
    """The smallest period along the columns, then the fewest rows with their shift, on a part.

    Both must come back within the tensor: the table is at most a quarter of the mask.
    """
    part = words[:_PART, : 2 * _PART]
    columns = part.shape[1]
    lengths = range(1, min(LONGEST, words.shape[1] // 2) + 1)
    period = next((p for p in lengths if _differs(part[:, p:], part[:, :-p]) <= allowed), None)
    if period is None:
        return None
    for steps in range(1, min(LONGEST, words.shape[0] // 2) + 1):
        for shift in range(min(period, columns)):
            # Row u + steps is row u moved by ``shift`` to the left.
            if _differs(part[steps:, : columns - shift], part[:-steps, shift:]) <= allowed:
                return Rule(period, steps, shift, swapped)
    return None


def _differs(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Share of the set bits of two arrays of words that are not set in both."""
    total = ones(one) + ones(other)
    return 2 * ones(one ^ other) / total if total else 0.0


def _fold(mask: NDArray[np.bool_], rule: Rule) -> tuple[IntArray, IntArray]:
    """Nonzeros by slot and tap, and windows by slot; axis 0 of the mask is u of the rule."""
    rows, columns, taps = mask.shape
    period = rule.period
    used = np.zeros((rule.steps, period, taps), dtype=np.int64)
    windows = np.zeros((rule.steps, period), dtype=np.int64)
    whole = columns // period * period
    length = np.bincount(np.arange(columns) % period, minlength=period)
    for u in range(rows):
        row = mask[u, :whole].reshape(-1, period, taps).sum(axis=0, dtype=np.int64)
        row[: columns - whole] += mask[u, whole:]
        turn = rule.shift * (u // rule.steps)
        used[u % rule.steps] += np.roll(row, turn, axis=0)
        windows[u % rule.steps] += np.roll(length, turn)
    return used.reshape(-1, taps), windows.reshape(-1)
