"""Input positions along one image axis that the tiles of a perfect grid bring in, on arrays.

The same numbers as :class:`energysim.mapping.hierarchy.images.ImageAxis`, which the evaluator
uses, but without sets: a tile is an interval of positions if its positions leave no gap, else a
row of a Boolean table. The search asks for thousands of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from energysim.kernels import IntArray
from energysim.mapping.rules import Rules
from energysim.windows import Axis

__all__ = ["Group", "Sweep", "TiledAxis"]

#: (trips over outputs, their step, trips over taps, their step) of one axis of copies.
Group = tuple[int, int, int, int]
#: (whether over taps, step, trips) of the loop along which tiles overlap; () for none.
Sweep = tuple[bool, int, int] | tuple[()]


@dataclass(frozen=True)
class TiledAxis:
    """One image axis cut into tiles of so many outputs and taps.

    Parameters
    ----------
    axis : Axis
    outputs, taps : int
        Of a tile; they divide those of the axis.
    rules : Rules
    """

    axis: Axis
    outputs: int
    taps: int
    rules: Rules

    @cached_property
    def _pattern(self) -> IntArray:
        """Positions of a tile that starts at 0, ascending."""
        p = np.arange(self.outputs, dtype=np.int64) * self.axis.stride
        r = np.arange(self.taps, dtype=np.int64) * self.axis.dilation
        found = np.unique(p[:, None] + r[None, :])
        if self.rules.untouched == "fetched":
            found = np.arange(found[-1] + 1, dtype=np.int64)
        return found

    @cached_property
    def _whole(self) -> bool:
        """Whether a tile has no gaps."""
        return len(self._pattern) == int(self._pattern[-1]) + 1

    def _ends(self, starts: IntArray) -> tuple[IntArray, IntArray]:
        """First position of tiles and the one after their last."""
        low = starts - self.axis.before
        high = low + int(self._pattern[-1]) + 1
        if self.rules.padding == "skipped":
            low, high = np.clip(low, 0, self.axis.inputs), np.clip(high, 0, self.axis.inputs)
        return low, high

    def _table(self, starts: IntArray) -> NDArray[np.bool_]:
        """Whether tiles need each position; one axis more than ``starts``."""
        axis = self.axis
        reach = (axis.outputs - 1) * axis.stride + (axis.window - 1) * axis.dilation + 1
        found = np.zeros((*starts.shape, reach), dtype=np.bool_)
        at = starts[..., None] + self._pattern
        np.put_along_axis(found, at, True, axis=-1)
        if self.rules.padding == "skipped":
            position = np.arange(reach) - axis.before
            found &= (position >= 0) & (position < axis.inputs)
        return found

    def _starts(self, outputs: IntArray, taps: IntArray) -> IntArray:
        found: IntArray = (outputs * self.axis.stride)[:, None] + (taps * self.axis.dilation)[None, :]
        return found.reshape(-1)

    @cached_property
    def largest(self) -> int:
        """Positions of the tile that needs most."""
        starts = self._starts(
            np.arange(0, self.axis.outputs, self.outputs), np.arange(0, self.axis.window, self.taps)
        )
        if self._whole:
            low, high = self._ends(starts)
            return int((high - low).max())
        return int(self._table(starts).sum(axis=-1).max())

    def moved(self, groups: tuple[Group, ...] = (), sweep: Sweep = ()) -> int:
        """Sum over all tiles of the positions brought in.

        Parameters
        ----------
        groups : tuple of Group
            Axes of copies that get a position together.
        sweep : Sweep
            A loop whose every step but the first keeps what the tile before had.
        """
        outputs = np.arange(0, self.axis.outputs, self.outputs, dtype=np.int64)
        taps = np.arange(0, self.axis.window, self.taps, dtype=np.int64)
        member_p, member_r = np.zeros(1, np.int64), np.zeros(1, np.int64)
        for trips_p, step_p, trips_r, step_r in groups:
            outputs, member_p = _without(outputs, member_p, trips_p, step_p)
            taps, member_r = _without(taps, member_r, trips_r, step_r)
        steps = np.zeros(1, np.int64)
        if sweep:
            over_taps, step, trips = sweep
            unit = self.axis.dilation if over_taps else self.axis.stride
            steps = np.arange(trips, dtype=np.int64) * step * unit
            if over_taps:
                taps, _ = _without(taps, np.zeros(1, np.int64), trips, step)
            else:
                outputs, _ = _without(outputs, np.zeros(1, np.int64), trips, step)
        bases, members = self._starts(outputs, taps), np.sort(self._starts(member_p, member_r))
        starts = bases[:, None, None] + steps[None, :, None] + members[None, None, :]
        return self._united(starts, bool(sweep))

    def _united(self, starts: IntArray, kept: bool) -> int:
        """Positions of members (last axis) together, fresh ones from step to step (middle axis)."""
        if self._whole:
            low, high = self._ends(starts)
            if kept:
                low[:, 1:] = np.maximum(low[:, 1:], high[:, :-1])
            # Members are sorted, so that what those before cover ends where the furthest does.
            covered = np.maximum.accumulate(high, axis=-1)
            low[..., 1:] = np.maximum(low[..., 1:], covered[..., :-1])
            return int(np.maximum(high - low, 0).sum())
        table = self._table(starts)
        if kept:
            table[:, 1:] &= ~table[:, :-1]  # the right side is worked out before anything changes
        return int(np.count_nonzero(table.any(axis=2)))


def _without(starts: IntArray, members: IntArray, trips: int, step: int) -> tuple[IntArray, IntArray]:
    """Take a loop out of a grid of starts, and put it into the offsets of members."""
    if trips == 1:
        return starts, members
    kept = starts[starts // step % trips == 0]
    offsets = np.arange(trips, dtype=np.int64) * step
    return kept, (members[:, None] + offsets[None, :]).reshape(-1)
