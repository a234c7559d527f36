"""Where the tiles of a mapping lie in DRAM, and what it takes to move each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from energysim.errors import CapacityError
from energysim.kernels import IntArray
from energysim.mapping.dram_layout import Layout, extent, input_positions, stored_bits
from energysim.mapping.dram_transfer import DramSizes, Transfer, nothing, transfer
from energysim.mapping.nest import DIMENSIONS, Tiling
from energysim.mapping.rules import Rules
from energysim.units import ceil_div, ceil_fraction
from energysim.workload import LoopNest

__all__ = ["DramTensors", "Key", "Places", "laid_out", "regions"]

#: Group and numbers of a tile along the loops of a tensor.
Key = tuple[int, ...]
Runs = tuple[IntArray, IntArray, int]

_TABLES, _RIGHT, _INPUTS, _OUTPUTS, _SUMS = range(5)  # regions, in the order in which they lie


@dataclass(frozen=True)
class DramTensors:
    """How the tensors of a loop nest are stored in DRAM.

    Attributes
    ----------
    tables : int
        Bits read once before anything else.
    weights : int
        Bits of a pass over the weights, 0 if there are none.
    second : Fraction or None
        Bits of an element of a computed tensor in the place of the weights.
    inputs, outputs : Fraction or None
        Bits of an element; None: not in DRAM.
    written : int
        Elements of the finished outputs: fewer than the outputs where pooling is folded in.
    sums : int
        Bits of an accumulator.
    inputs_last, outputs_last : bool
        Whether channels are the last dimension.
    """

    tables: int
    weights: int
    second: Fraction | None
    inputs: Fraction | None
    outputs: Fraction | None
    written: int
    sums: int
    inputs_last: bool = False
    outputs_last: bool = False


class Places:
    """The regions of the tensors of a layer, and the transfers of its tiles.

    Raises
    ------
    CapacityError
        If the tensors take more than the DRAM has.
    """

    def __init__(
        self, nest: LoopNest, tiling: Tiling, rules: Rules, tensors: DramTensors, sizes: DramSizes
    ) -> None:
        self.nest, self.tiling, self.rules, self.sizes = nest, tiling, rules, sizes
        self.trips = tiling.trips(nest)
        self._tensors = tensors
        n, g, m, c = nest.batch, nest.groups, nest.filters, nest.channels
        p, q = nest.rows.outputs, nest.cols.outputs
        h, w = extent(nest.rows, rules), extent(nest.cols, rules)
        self._dims = {"N": n, "M": m, "C": c, "P": p, "Q": q}
        self._tiles = dict(zip(DIMENSIONS, tiling.tiles, strict=True))
        self._inputs = laid_out("NGCHW", "NGHWC", tensors.inputs_last, N=n, G=g, C=c, H=h, W=w)
        self._outputs = laid_out("NGMPQ", "NGPQM", tensors.outputs_last, N=n, G=g, M=m, P=p, Q=q)
        self._second = Layout("GCM", (g, c, m))
        self._needed = {"P": input_positions(nest.rows, rules), "Q": input_positions(nest.cols, rules)}
        self._spills = self._sums_pass()
        self._bases = regions(
            sizes,
            tensors.tables,
            tensors.weights if tensors.second is None else tensors.second * g * c * m,
            (tensors.inputs or 0) * n * g * c * h * w,
            (tensors.outputs or 0) * tensors.written,
            tensors.sums * nest.output_elements if self._spills else 0,
        )
        self._known: dict[Key, Transfer] = {}
        self._runs: dict[Key, Runs] = {}

    def _sums_pass(self) -> bool:
        """Whether partial sums pass through DRAM: a loop over outputs lies inside the one over C."""
        order = [dim for dim in self.tiling.order if self.trips[dim] > 1]
        return self.rules.first_read == "counted" or ("C" in order and order[0] != "C")

    def tables(self) -> Transfer:
        """The tables of the weights' format."""
        return self._range(0, self._tensors.tables, _TABLES)

    def right(self, tile: Key) -> Transfer:
        """A tile (G, M, C) of the weights, or of the computed tensor in their place."""
        width = self._tensors.second
        if width is None and not self._tensors.weights:
            return nothing()

        def make() -> Transfer:
            if width is None:
                return self._weights(tile)
            return self._moved(self._rectangle(_RIGHT, self._second, tile, "MC"), width, _RIGHT)

        return self._once((_RIGHT, *tile), make, any(self.trips[dim] > 1 for dim in "NPQ"))

    def _weights(self, tile: Key) -> Transfer:
        """Weights lie in the order in which the loops first visit them, windows of equal size."""
        filters, channels = self._dims["M"], self._dims["C"]
        (m, some), (c, few) = (self._part(dim, at) for dim, at in zip("MC", tile[1:], strict=True))
        inside = self.tiling.order.index("C") < self.tiling.order.index("M")
        before = m * channels + some * c if inside else c * filters + few * m
        first = tile[0] * filters * channels + before
        bits, every = self._tensors.weights, self.nest.groups * filters * channels
        return self._range(first * bits // every, (first + some * few) * bits // every, _RIGHT)

    def inputs(self, tile: Key, sweep: str) -> Transfer:
        """A tile (G, N, C, P, Q) of the inputs; along ``sweep`` without what the tile before it had."""
        width = self._tensors.inputs

        def make() -> Transfer:
            runs = self._rectangle(_INPUTS, self._inputs, tile, "NCPQ", sweep)
            return nothing(runs[2]) if width is None else self._moved(runs, width, _INPUTS)

        return self._once((_INPUTS, *tile, "-PQ".index(sweep or "-")), make, self.trips["M"] > 1)

    def sums(self, tile: Key) -> Transfer:
        """A tile (G, N, M, P, Q) of partial sums."""

        def make() -> Transfer:
            runs = self._rectangle(_OUTPUTS, self._outputs, tile, "NMPQ")
            return self._moved(runs, self._tensors.sums, _SUMS)

        return self._once((_SUMS, *tile), make, again=True)

    def finished(self, tile: Key, done: int) -> Transfer:
        """A tile (G, N, M, P, Q) of finished outputs, after ``done`` others."""
        width, written, every = self._tensors.outputs, self._tensors.written, self.nest.output_elements
        runs = self._rectangle(_OUTPUTS, self._outputs, tile, "NMPQ")
        if width is None:
            return nothing(runs[2])
        if written != every:  # shrunk by what is folded in: one behind the other
            ends = [at * written // every for at in (done, done + runs[2])]
            runs = np.array(ends[:1]), np.array([ends[1] - ends[0]]), runs[2]
        return self._moved(runs, width, _OUTPUTS)

    def _rectangle(self, kind: int, layout: Layout, tile: Key, dims: str, sweep: str = "") -> Runs:
        """Runs and elements of a tile; groups are alike but for a shift."""
        key = (kind, *tile[1:], "-PQ".index(sweep or "-"))
        found = self._runs.get(key)
        if found is None:
            chosen = {"G": np.zeros(1, dtype=np.int64)}
            for dim, number in zip(dims, tile[1:], strict=True):
                first, count = self._part(dim, number)
                chosen[dim] = np.arange(first, first + count, dtype=np.int64)
            if kind == _INPUTS:
                chosen |= {name: self._window(chosen[dim], dim, sweep) for dim, name in ("PH", "QW")}
            start, length = layout.runs(chosen)
            found = start, length, prod(len(chosen[dim]) for dim in layout.dims)
            if self.nest.groups > 1:
                self._runs[key] = found
        shift = tile[0] * prod(layout.sizes[layout.dims.index("G") + 1 :])
        return found[0] + shift, found[1], found[2]

    def _window(self, outputs: IntArray, dim: str, sweep: str) -> IntArray:
        """Input positions of some outputs along an axis."""
        first, end = int(outputs[0]), int(outputs[-1]) + 1
        found = self._needed[dim](first, end)
        if sweep != dim:
            return found
        before = self._needed[dim](max(first - self._tiles[dim], 0), first)
        fresh: IntArray = np.setdiff1d(found, before, assume_unique=True)
        return fresh

    def _part(self, dim: str, number: int) -> tuple[int, int]:
        """First position and length of a tile along a loop."""
        first = number * self._tiles[dim]
        return first, min(self._tiles[dim], self._dims[dim] - first)

    def _moved(self, runs: Runs, width: Fraction | int, region: int) -> Transfer:
        low, high = stored_bits(runs[0], runs[1], width)
        return transfer(low + self._bases[region], high + self._bases[region], self.sizes, runs[2])

    def _range(self, low: int, high: int, region: int) -> Transfer:
        if high <= low:
            return nothing()
        base = self._bases[region]
        return transfer(np.array([low + base]), np.array([high + base]), self.sizes)

    def _once(self, key: Key, make: Callable[[], Transfer], again: bool) -> Transfer:
        """A transfer, remembered if it will be made again."""
        found = self._known.get(key)
        if found is None:
            found = make()
            if again:
                self._known[key] = found
        return found


def regions(sizes: DramSizes, *bits: Fraction | int) -> tuple[int, ...]:
    """Return the first bit of regions of some bits: one behind the other, each from the start of a row.

    Raises
    ------
    CapacityError
        If they take more than the DRAM has.
    """
    found, row = [], 0
    for size in bits:
        found.append(row * sizes.row_bits)
        row += ceil_div(ceil_fraction(Fraction(size)), sizes.row_bits)
    have = sizes.banks * sizes.rows
    if row > have:
        raise CapacityError(
            f"its tensors take {row} rows of DRAM and there are {have} (of {sizes.row_bits} bit)"
        )
    return tuple(found)


def laid_out(first: str, last: str, channels_last: bool, **sizes: int) -> Layout:
    """Return the layout of a map: the dimensions in the first order, or in the last if channels are last."""
    dims = last if channels_last else first
    return Layout(dims, tuple(sizes[dim] for dim in dims))
