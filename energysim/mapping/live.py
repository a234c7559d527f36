"""How much a sweep over an image holds at most, so that it brings nothing twice.

A sweep goes over a band of the image in raster order: along the band's length step by step, and at
each step across the band. Either outputs are its steps and inputs are held, each from the first
output that needs it to the last; or inputs are its steps and sums are held, each from the first input
that is added to it to the last.

What is held is the product of two axes, and so is what needs it. An item (y, x) is first needed at
(first(y), first(x)) and last at (last(y), last(x)), in raster order. At the step (r, c) there are

* all items of a y with first(y) < r < last(y);
* of a y with first(y) = r < last(y), those with first(x) <= c;
* of a y with first(y) < r = last(y), those with last(x) >= c;
* of a y with first(y) = r = last(y), those with first(x) <= c <= last(x).

Edges are clipped: windows in the padding hold nothing there, the last band is as wide as is left.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.rules import Rules
from energysim.windows import Axis, window_pairs

__all__ = ["KEEPS", "carried", "live"]

#: What a sweep may hold.
KEEPS = ("inputs", "sums")


@lru_cache(maxsize=65536)
def live(length: Axis, across: Axis, band: int, keeps: str, rules: Rules) -> int:
    """Return the most that a sweep holds, per image and channel (inputs) or filter (sums).

    Parameters
    ----------
    length, across : Axis
        Axis along the bands, and the one that is cut into bands.
    band : int
        Outputs across a band.
    keeps : str
        ``inputs`` or ``sums``.
    rules : Rules
        Whether padding counts.
    """
    padded = rules.padding == "fetched"
    pairs = window_pairs(across, padded)
    if not len(pairs[0]) or not len(window_pairs(length, padded)[0]):
        return 0
    through, opened, closing, only = _profile(length, keeps, padded)
    whole, met, ahead = _across(pairs, band, keeps)
    # first(x) <= c <= last(x) holds for met + ahead - whole: every item is met by c, or ahead of it.
    steady = np.outer(through - only, whole)
    return int((steady + np.outer(opened + only, met) + np.outer(closing + only, ahead)).max())


@lru_cache(maxsize=65536)
def carried(axis: Axis, step: int, rules: Rules) -> tuple[int, int]:
    """Return what steps along an axis hold at most, if an input is brought once and added to all sums.

    Parameters
    ----------
    axis : Axis
    step : int
        Outputs that a step finishes, along the axis.
    rules : Rules

    Returns
    -------
    outputs : int
        Positions of sums that have begun and are not finished when a step ends, and those it finishes.
    inputs : int
        Positions of inputs that a step brings: those that no step before it needed.
    """
    outputs, inputs = window_pairs(axis, rules.padding == "fetched")
    if not len(outputs):
        return 0, 0
    first, _ = _met(inputs, outputs // step)
    brought = first[np.unique(inputs, return_inverse=True)[1]]  # when the input of each pair comes
    begun, done = _met(outputs, brought)
    at = np.unique(first)
    open_sums = np.searchsorted(np.sort(begun), at, "right") - np.searchsorted(np.sort(done), at, "left")
    return int(open_sums.max()), int(_equal(first, at).max())


@lru_cache(maxsize=4096)
def _profile(axis: Axis, keeps: str, padded: bool) -> IntArray:
    """How many items are held through, opened, closed and met only at a step of an axis; shape (4, n)."""
    steps, items = _turned(window_pairs(axis, padded), keeps)
    first, last = _met(items, steps)
    at, alone = np.unique(steps), first == last
    opened, closing, only = (_equal(times, at) for times in (first[~alone], last[~alone], first[alone]))
    begun = np.searchsorted(np.sort(first), at, "left")
    ended = np.searchsorted(np.sort(last), at, "right")
    through = begun - (ended - only)  # what is met only here has not begun before, but has ended
    return np.unique(np.stack([through, opened, closing, only]), axis=1)


def _across(pairs: tuple[IntArray, IntArray], band: int, keeps: str) -> IntArray:
    """Items of its band, those met by a step of it, and those met from it on; of each step; shape (3, n)."""
    bands = pairs[0] // band
    steps, items = _turned(pairs, keeps)
    # Numbers that keep bands apart.
    apart = int(max(steps.max(), items.max())) + 1
    steps, items = bands * apart + steps, bands * apart + items
    first, last = (np.sort(times) for times in _met(items, steps))
    at = np.unique(steps)
    start = at // apart * apart
    before = np.searchsorted(first, start, "left")
    behind = np.searchsorted(first, start + apart, "left")
    return np.stack(
        [
            behind - before,
            np.searchsorted(first, at, "right") - before,
            behind - np.searchsorted(last, at, "left"),
        ]
    )


def _turned(pairs: tuple[IntArray, IntArray], keeps: str) -> tuple[IntArray, IntArray]:
    """Steps and items of pairs of outputs and inputs."""
    return pairs if keeps == "inputs" else pairs[::-1]


def _met(items: IntArray, steps: IntArray) -> tuple[IntArray, IntArray]:
    """The first and the last step of each item."""
    order = np.lexsort((steps, items))
    items, steps = items[order], steps[order]
    starts = np.flatnonzero(np.diff(items, prepend=-1))
    return steps[starts], steps[np.append(starts[1:], len(steps)) - 1]


def _equal(times: IntArray, at: IntArray) -> IntArray:
    """How many times are equal to each of some others."""
    ordered = np.sort(times)
    return np.searchsorted(ordered, at, "right") - np.searchsorted(ordered, at, "left")
