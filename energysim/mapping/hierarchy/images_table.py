"""Input positions that the tiles of partial mappings need, looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.images import ImageAxis
from energysim.mapping.hierarchy.loops import PlacedLoop
from energysim.mapping.hierarchy.states import Floats
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["ImageTable"]


class ImageTable:
    """Positions of both image axes for tiles that lie on a grid.

    Parameters
    ----------
    nest : LoopNest
    rules : Rules
    """

    def __init__(self, nest: LoopNest, rules: Rules) -> None:
        self._axes = (nest.rows, nest.cols)
        self._rules = rules
        self._images: dict[tuple[int, int, int], ImageAxis] = {}
        self._largest: dict[tuple[int, int, int], int] = {}
        self._moved: dict[tuple[int, int, int, str, int, int], int] = {}

    def _image(self, which: int, outputs: int, taps: int) -> ImageAxis:
        key = (0 if self._axes[0] == self._axes[1] else which, outputs, taps)
        if key not in self._images:
            self._images[key] = ImageAxis(self._axes[which], ("P", "R"), (outputs, taps), self._rules)
        return self._images[key]

    def one(self, which: int, outputs: int, taps: int, sweep: str = "", step: int = 1, trips: int = 1) -> int:
        """Positions of one axis that all tiles get; ``sweep`` is ``"P"``, ``"R"`` or nothing."""
        axis = self._axes[which]
        key = (0 if self._axes[0] == self._axes[1] else which, outputs, taps, sweep, step, trips)
        if key not in self._moved:
            along = PlacedLoop(0, sweep, trips, step, False) if sweep else None
            loops = [along] if along else []
            for dim, tile, size in (("P", outputs, axis.outputs), ("R", taps, axis.window)):
                if dim == sweep:
                    loops.append(PlacedLoop(0, dim, step // tile, tile, False))
                    loops.append(PlacedLoop(0, dim, size // (step * trips), step * trips, False))
                else:
                    loops.append(PlacedLoop(0, dim, size // tile, tile, False))
            self._moved[key] = self._image(which, outputs, taps).moved(loops, [], along)
        return self._moved[key]

    def largest(self, which: int, outputs: int, taps: int) -> int:
        """Positions of the tile that needs most."""
        axis = self._axes[which]
        key = (0 if self._axes[0] == self._axes[1] else which, outputs, taps)
        if key not in self._largest:
            grid = [
                PlacedLoop(0, "P", axis.outputs // outputs, outputs, False),
                PlacedLoop(0, "R", axis.window // taps, taps, False),
            ]
            self._largest[key] = self._image(which, outputs, taps).largest(grid)
        return self._largest[key]

    def planes(self, tiles: IntArray, sweep: str, steps: IntArray, trips: IntArray) -> Floats:
        """Positions of a plane that all tiles of (P, Q, R, S) get, kept along a sweep or not."""
        result = np.ones(len(tiles))
        for which, dims in ((0, "PR"), (1, "QS")):
            name = "" if not sweep or sweep not in dims else "PR"[dims.index(sweep)]
            columns = [tiles[:, which], tiles[:, which + 2], *((steps, trips) if name else ())]
            result *= _looked_up(columns, lambda p, r, *s, a=which, n=name: self.one(a, p, r, n, *s))
        return result

    def fullest(self, tiles: IntArray) -> Floats:
        """Positions of a plane that the fullest tile of (P, Q, R, S) needs."""
        result = np.ones(len(tiles))
        for which in (0, 1):
            columns = [tiles[:, which], tiles[:, which + 2]]
            result *= _looked_up(columns, lambda p, r, a=which: self.largest(a, p, r))
        return result


def _looked_up(columns: Sequence[IntArray], value: Callable[..., int]) -> Floats:
    """Apply a function of whole numbers once to each combination that occurs."""
    key = np.zeros(len(columns[0]), dtype=np.int64)
    bases = [int(column.max(initial=0)) + 1 for column in columns]
    for column, base in zip(columns, bases, strict=True):
        key = key * base + column
    most = prod(bases)
    if most <= 1 << 20:  # no sorting needed
        table = np.full(most, -1.0)
        table[key] = 0.0
        keys = np.flatnonzero(table == 0.0)
        table[keys] = [value(*_digits(int(k), bases)) for k in keys]
        return np.asarray(table[key])
    keys, place = np.unique(key, return_inverse=True)
    return np.array([value(*_digits(int(k), bases)) for k in keys], dtype=np.float64)[place.reshape(-1)]


def _digits(key: int, bases: Sequence[int]) -> tuple[int, ...]:
    digits = []
    for base in reversed(bases):
        key, digit = divmod(key, base)
        digits.append(digit)
    return tuple(reversed(digits))
