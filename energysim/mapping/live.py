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
    if not len(window_pairs(across, padded)[0]) or not len(window_pairs(length, padded)[0]):
        return 0
    through, opened, closing, only = _profile(length, keeps, padded)
    whole, met, ahead = _across(across, band, keeps, padded)
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
    padded = rules.padding == "fetched"
    if not len(window_pairs(axis, padded)[0]):
        return 0, 0
    # An input comes in the step of the first output that needs it.
    inputs, outputs = _first_outputs(axis, padded)
    fresh, begun, done = inputs // step, outputs[0] // step, outputs[1] // step
    at = np.unique(fresh)
    unfinished = np.searchsorted(np.sort(begun), at, "right") - np.searchsorted(np.sort(done), at, "left")
    return int(unfinished.max()), int(_equal(fresh, at).max())


@lru_cache(maxsize=1024)
def _sorted_pairs(axis: Axis, padded: bool) -> tuple[IntArray, IntArray]:
    """Outputs and inputs of the pairs of an axis that meet, inputs ascending, then outputs."""
    outputs, inputs = window_pairs(axis, padded)
    order = np.lexsort((outputs, inputs))
    return outputs[order], inputs[order]


@lru_cache(maxsize=1024)
def _first_outputs(axis: Axis, padded: bool) -> tuple[IntArray, IntArray]:
    """The first output that needs each input; for each output the least and the largest of these; (2, n)."""
    outputs, inputs = _sorted_pairs(axis, padded)
    starts = np.flatnonzero(np.diff(inputs, prepend=-1))
    first = outputs[starts]
    of_pairs = np.repeat(first, np.diff(starts, append=len(inputs)))
    return first, np.stack(_met(outputs, of_pairs))


@lru_cache(maxsize=4096)
def _profile(axis: Axis, keeps: str, padded: bool) -> IntArray:
    """How many items are held through, opened, closed and met only at a step of an axis; shape (4, n)."""
    outputs, inputs = _sorted_pairs(axis, padded)
    steps = outputs if keeps == "inputs" else inputs
    first, last = _met(inputs, outputs) if keeps == "inputs" else _outputs(axis, padded)[1:]
    at, alone = np.unique(steps), first == last
    opened, closing, only = (_equal(times, at) for times in (first[~alone], last[~alone], first[alone]))
    begun = np.searchsorted(np.sort(first), at, "left")
    ended = np.searchsorted(np.sort(last), at, "right")
    through = begun - (ended - only)  # what is met only here has not begun before, but has ended
    return np.unique(np.stack([through, opened, closing, only]), axis=1)


@lru_cache(maxsize=1024)
def _outputs(axis: Axis, padded: bool) -> tuple[IntArray, IntArray, IntArray]:
    """Each output that needs any input, the first it needs, and the last."""
    outputs, inputs = _sorted_pairs(axis, padded)
    return np.unique(outputs), *_met(outputs, inputs)


def _across(axis: Axis, band: int, keeps: str, padded: bool) -> IntArray:
    """Items of its band, those met by a step of it, and those met from it on; of each step; shape (3, n)."""
    outputs, inputs = _sorted_pairs(axis, padded)
    bands = outputs // band
    # Each input in each band that needs it: as they are sorted, its outputs there are neighbours.
    starts = np.flatnonzero(np.diff(inputs, prepend=-1) | np.diff(bands, prepend=-1))
    ends = np.append(starts[1:], len(inputs)) - 1
    apart = int(max(inputs[-1], axis.outputs)) + 1  # numbers that keep bands apart
    own = bands[starts] * apart
    if keeps == "inputs":
        first, last = own + outputs[starts], own + outputs[ends]
        steps = _outputs(axis, padded)[0]
        at = steps // band * apart + steps
    else:
        each, first, last = _outputs(axis, padded)
        first, last = each // band * apart + first, each // band * apart + last
        at = own + inputs[starts]
    first, last = (np.sort(times, kind="stable") for times in (first, last))  # nearly sorted
    start = at // apart * apart
    before = np.searchsorted(first, start, "left")
    behind = np.searchsorted(first, start + apart, "left")
    met = np.searchsorted(first, at, "right") - before
    return np.stack([behind - before, met, behind - np.searchsorted(last, at, "left")])


def _met(items: IntArray, steps: IntArray) -> tuple[IntArray, IntArray]:
    """The first and the last step of each item, in ascending order of items."""
    order = np.lexsort((steps, items))
    items, steps = items[order], steps[order]
    starts = np.flatnonzero(np.diff(items, prepend=-1))
    return steps[starts], steps[np.append(starts[1:], len(steps)) - 1]


def _equal(times: IntArray, at: IntArray) -> IntArray:
    """How many times are equal to each of some others."""
    ordered = np.sort(times)
    return np.searchsorted(ordered, at, "right") - np.searchsorted(ordered, at, "left")
