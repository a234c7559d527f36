"""An evaluator of mappings that runs the loops, and a search that tries them all.

It shares no code with ``energysim.mapping`` and ``energysim.windows``: of a loop nest only the
plain numbers and the mask are read. For each tensor it holds the tile that is on chip, as a set
of elements (the bits of a Python integer), and counts what the next tile lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from math import factorial, prod
from typing import Any

__all__ = ["Counts", "Tiles", "every_mapping", "run", "steps"]

DIMS = "NMCPQ"


@dataclass(frozen=True)
class Counts:
    """Elements that passed between DRAM and the buffer; ``places`` are weights with the zeros."""

    weights: int
    places: int
    inputs: int
    sums_out: int
    sums_in: int
    first_reads: int
    finished: int


def sizes_of(nest: Any) -> tuple[int, int, int, int, int]:
    """D of N, M, C, P, Q."""
    return nest.batch, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs


def tile_sizes(size: int, rule: str) -> list[int]:
    """All tiles of a dimension."""
    return [t for t in range(1, size + 1) if rule == "all" or size % t == 0]


def needed(axis: Any, outputs: range, rules: Any) -> set[int]:
    """Input positions of some outputs; padding has numbers below 0 and from ``inputs`` on."""
    taps = [k * axis.dilation for k in range(axis.window)]
    found: set[int] = set()
    if axis.transposed:
        for i in range(axis.inputs):
            reached = [i * axis.stride + t - axis.before for t in taps]
            meets = any(o in outputs for o in reached)
            spans = reached[0] <= outputs[-1] and reached[-1] >= outputs[0]
            if meets or (spans and rules.untouched == "fetched"):
                found.add(i)
        return found
    for o in outputs:
        found |= {o * axis.stride + t - axis.before for t in taps}
    if rules.untouched == "fetched":
        found = set(range(min(found), max(found) + 1))
    if rules.padding == "skipped":
        found = {i for i in found if 0 <= i < axis.inputs}
    return found


class Tiles:
    """The tiles of one tiling, as numbers of elements and sets of elements."""

    def __init__(self, nest: Any, tiles: tuple[int, ...], rules: Any) -> None:
        self.nest, self.rules = nest, rules
        self.cuts = {
            d: [range(a, min(a + t, size)) for a in range(0, size, t)]
            for d, size, t in zip(DIMS, sizes_of(nest), tiles, strict=True)
        }
        self.mask = nest.kernel.mask()
        self._rows = [needed(nest.rows, cut, rules) for cut in self.cuts["P"]]
        self._cols = [needed(nest.cols, cut, rules) for cut in self.cuts["Q"]]
        self._inputs: dict[tuple[int, ...], int] = {}

    def weights(self, group: int, m: int, c: int) -> tuple[int, int]:
        """Weights of a tile: those that exist, and all."""
        filters, channels = self.cuts["M"][m], self.cuts["C"][c]
        start = group * self.nest.filters
        part = self.mask[start + filters[0] : start + filters[-1] + 1, channels[0] : channels[-1] + 1]
        return int(part.sum()), part.size

    def inputs(self, n: int, c: int, p: int, q: int) -> int:
        """The set of elements of a tile, a bit each."""
        key = (n, c, p, q)
        if key not in self._inputs:
            plane = 0
            for h, w in product(self._rows[p], self._cols[q]):
                plane |= 1 << ((h + 100) * 300 + w + 100)
            bits = 0
            for image, channel in product(self.cuts["N"][n], self.cuts["C"][c]):
                bits |= plane << (90_000 * (image * self.nest.channels + channel))
            self._inputs[key] = bits
        return self._inputs[key]

    def outputs(self, n: int, m: int, p: int, q: int) -> int:
        """Outputs of a tile."""
        return (
            len(self.cuts["N"][n]) * len(self.cuts["M"][m]) * len(self.cuts["P"][p]) * len(self.cuts["Q"][q])
        )

    def footprint(self) -> tuple[int, int, int, int]:
        """Most existing weights at any place, positions of a weight tile, most inputs, most outputs."""
        n, m, c, p, q = (max(len(cut) for cut in self.cuts[d]) for d in DIMS)
        windows = self.mask.sum(axis=(2, 3))
        places = product(range(windows.shape[0] - m + 1), range(windows.shape[1] - c + 1))
        weights = max(int(windows[f : f + m, d : d + c].sum()) for f, d in places)
        inputs = n * c * max(map(len, self._rows)) * max(map(len, self._cols))
        return weights, m * c * self.mask.shape[2] * self.mask.shape[3], inputs, n * m * p * q


def run(tiles: Tiles, order: str) -> Counts:
    """Run the loops over the tiles, ``order`` from innermost to outermost; groups are outermost."""
    nest, one_axis = tiles.nest, tiles.rules.overlap == "one-axis"
    trips = {d: len(tiles.cuts[d]) for d in DIMS}
    inner = next((d for d in order if trips[d] > 1 and d in "NCPQ"), "")
    weights = places = inputs = sums_out = sums_in = first_reads = finished = 0
    done: dict[tuple[int, ...], int] = {}  # output tile -> tiles of C added so far
    held_w: tuple[int, ...] | None = None
    held_i: dict[str, int] | None = None
    held_o: tuple[int, ...] | None = None
    inside = 0

    def put_away() -> None:
        nonlocal sums_out, finished
        if held_o is not None:
            count = tiles.outputs(*held_o[1:])
            if done[held_o] == trips["C"]:
                finished += count
            else:
                sums_out += count

    for group in range(nest.groups):
        for step in product(*(range(trips[d]) for d in reversed(order))):
            at = dict(zip(reversed(order), step, strict=True))
            wanted_w = (group, at["M"], at["C"])
            if wanted_w != held_w:
                existing, positions = tiles.weights(*wanted_w)
                weights, places = weights + existing, places + positions
                held_w = wanted_w
            wanted_i = {"G": group, **{d: at[d] for d in "NCPQ"}}
            if wanted_i != held_i:
                new = tiles.inputs(at["N"], at["C"], at["P"], at["Q"])
                lacking = new
                if one_axis and held_i is not None and inner in ("P", "Q"):
                    onward = {**held_i, inner: held_i[inner] + 1}
                    if onward == wanted_i:
                        lacking = new & ~inside
                inputs += lacking.bit_count()
                held_i, inside = wanted_i, new
            wanted_o = (group, at["N"], at["M"], at["P"], at["Q"])
            if wanted_o != held_o:
                put_away()
                count = tiles.outputs(*wanted_o[1:])
                if wanted_o in done:
                    sums_in += count
                else:
                    first_reads += count
                    done[wanted_o] = 0
                held_o = wanted_o
            done[wanted_o] += 1
    put_away()
    return Counts(weights, places, inputs, sums_out, sums_in, first_reads, finished)


def tilings(nest: Any, rules: Any) -> Iterator[tuple[int, ...]]:
    """All tile sizes along N, M, C, P, Q."""
    return product(*(tile_sizes(size, rules.tiles) for size in sizes_of(nest)))


def every_mapping(nest: Any, rules: Any) -> Iterator[tuple[tuple[int, ...], Tiles, list[str]]]:
    """All tilings with all orders of the loops; loops of one trip, which do nothing, innermost."""
    for sizes in tilings(nest, rules):
        tiles = Tiles(nest, sizes, rules)
        real = [d for d in DIMS if len(tiles.cuts[d]) > 1]
        rest = "".join(d for d in DIMS if d not in real)
        yield sizes, tiles, [rest + "".join(loops) for loops in permutations(real)]


def steps(nest: Any, rules: Any) -> int:
    """How many steps running all mappings takes."""
    total = 0
    for sizes in tilings(nest, rules):
        trips = [-(-size // t) for size, t in zip(sizes_of(nest), sizes, strict=True)]
        total += prod(trips) * nest.groups * factorial(sum(n > 1 for n in trips))
    return total
