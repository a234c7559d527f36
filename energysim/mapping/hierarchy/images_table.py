"""Input positions that the tiles of partial mappings need, looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.hierarchy.keys import distinct
from energysim.mapping.hierarchy.windows_table import Group, Sweep, TiledAxis
from energysim.mapping.rules import Rules
from energysim.workload import LoopNest

__all__ = ["GROUP", "SWEEPS", "TILE", "ImageTable"]

#: Columns of a tile (P, Q, R, S), and of one axis of copies (P, Q, R, S trips, then steps).
TILE, GROUP = 4, 8
#: Dimension along which tiles overlap, by number.
SWEEPS = ("", "P", "Q", "R", "S")


class ImageTable:
    """Positions of both image axes for tiles that lie on a grid.

    Parameters
    ----------
    nest : LoopNest
    rules : Rules
    """

    def __init__(self, nest: LoopNest, rules: Rules) -> None:
        self._axes = (nest.rows, nest.cols)
        self._alike = nest.rows == nest.cols
        self._rules = rules
        self._tiled: dict[tuple[int, int, int], TiledAxis] = {}
        self._moved: dict[tuple[object, ...], int] = {}

    def _of(self, which: int, outputs: int, taps: int) -> TiledAxis:
        key = (0 if self._alike else which, outputs, taps)
        if key not in self._tiled:
            self._tiled[key] = TiledAxis(self._axes[which], outputs, taps, self._rules)
        return self._tiled[key]

    def one(
        self, which: int, outputs: int, taps: int, groups: tuple[Group, ...] = (), sweep: Sweep = ()
    ) -> int:
        """Positions of one axis that all tiles get."""
        key = (0 if self._alike else which, outputs, taps, groups, sweep)
        if key not in self._moved:
            self._moved[key] = self._of(which, outputs, taps).moved(groups, sweep)
        return self._moved[key]

    def planes(self, shapes: IntArray, sweep: str, steps: IntArray, trips: IntArray) -> IntArray:
        """Positions of a plane that all tiles get, kept along a sweep or not.

        Parameters
        ----------
        shapes : int64 array (n, 4 + 8 a)
            P, Q, R, S of the tiles, then trips and steps over them along each of a axes whose
            copies get a position together.
        sweep : {"", "P", "Q", "R", "S"}
        steps, trips : int64 arrays (n,)
            Of the loop along which tiles overlap.
        """
        result = np.ones(len(shapes), dtype=np.int64)
        for which, pair in ((0, (0, 2)), (1, (1, 3))):
            columns = [shapes[:, pair[0]], shapes[:, pair[1]]]
            for first in range(TILE, shapes.shape[1], GROUP):
                for at in pair:
                    columns += [shapes[:, first + at], shapes[:, first + 4 + at]]
            over = sweep in ("R", "S")
            own = bool(sweep) and SWEEPS.index(sweep) - 1 in pair
            if own:
                columns += [steps, trips]

            def value(
                outputs: int, taps: int, *rest: int, which: int = which, own: bool = own, over: bool = over
            ) -> int:
                along: Sweep = (over, rest[-2], rest[-1]) if own else ()
                flat = rest[:-2] if own else rest
                groups = tuple(
                    (flat[i], flat[i + 1], flat[i + 2], flat[i + 3]) for i in range(0, len(flat), 4)
                )
                return self.one(which, outputs, taps, groups, along)

            result *= looked_up(columns, value)
        return result

    def swept(self, shapes: IntArray, sweeps: IntArray) -> IntArray:
        """As :meth:`planes`, each row with its own sweep: (number in :data:`SWEEPS`, step, trips)."""
        result = np.zeros(len(shapes), dtype=np.int64)
        for number, sweep in enumerate(SWEEPS):
            rows = np.flatnonzero(sweeps[:, 0] == number)
            if len(rows):
                result[rows] = self.planes(shapes[rows], sweep, sweeps[rows, 1], sweeps[rows, 2])
        return result

    def fullest(self, tiles: IntArray) -> IntArray:
        """Positions of a plane that the fullest tile of (P, Q, R, S) needs."""
        result = np.ones(len(tiles), dtype=np.int64)
        for which in (0, 1):
            columns = [tiles[:, which], tiles[:, which + 2]]
            result *= looked_up(columns, lambda p, r, a=which: self._of(a, p, r).largest)
        return result

    @cached_property
    def touched(self) -> int:
        """Positions of a plane that windows touch: what no mapping fetches less of.

        Gaps between them do not count: small tiles need not fetch them.
        """
        plain = self if self._rules.untouched == "skipped" else self._gapless
        rows, cols = self._axes
        return plain.one(0, rows.outputs, rows.window) * plain.one(1, cols.outputs, cols.window)

    @cached_property
    def _gapless(self) -> ImageTable:
        found = ImageTable.__new__(ImageTable)
        found._axes, found._alike = self._axes, self._alike
        found._rules = replace(self._rules, untouched="skipped")
        found._tiled, found._moved = {}, {}
        return found


def looked_up(columns: Sequence[IntArray], value: Callable[..., int]) -> IntArray:
    """Apply a function of whole numbers once to each combination that occurs."""
    if not len(columns[0]):
        return np.zeros(0, dtype=np.int64)
    first, group = distinct(columns)
    rows = np.stack([column[first] for column in columns], axis=1).tolist()
    return np.array([value(*row) for row in rows], dtype=np.int64)[group]
