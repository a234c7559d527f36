"""The addresses that a mapping of a hierarchy sends to DRAM.

As :mod:`energysim.mapping.dram_stream` for two levels, with the tiles of the level next to DRAM that
holds each tensor: it may be another one for each.

* A transfer takes place when a loop outside that level begins a new tile of the tensor.
* If axes lie between, what its copies get in one step is one transfer in ascending order, each word
  once. Only copies that get words of their own of the same part of a tensor (windows that overlap but are
  not shared, tensors that an axis does not share) are served by transfers one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np

from energysim.kernels import IntArray
from energysim.mapping.dram_layout import Layout, extent, stored_bits
from energysim.mapping.dram_places import DramTensors, laid_out, regions
from energysim.mapping.dram_stream import INPUTS, OUTPUTS, RIGHT, SUMS_IN, SUMS_OUT, Commands, told
from energysim.mapping.dram_transfer import DramSizes, Transfer, nothing, transfer
from energysim.mapping.hierarchy.loops import RELEVANT, PlacedLoop
from energysim.mapping.hierarchy.mapping import MappingError
from energysim.mapping.hierarchy.walk import IMAGE_AXES, Walk

__all__ = ["STEPS", "device_commands"]

#: Transfers that are replayed at most.
STEPS = 1 << 17

_TABLES, _RIGHT, _INPUTS, _OUTPUTS, _SUMS = range(5)  # regions, in the order in which they lie
_FREE = {"weights": "NPQ", "inputs": "M", "outputs": "CRS"}
#: First positions of a tile along all dimensions.
Start = dict[str, int]


def device_commands(walk: Walk, tensors: DramTensors, sizes: DramSizes) -> tuple[Commands, int]:
    """Return the bursts of a mapping and the rows it opens, and the elements of outputs that were written.

    Raises
    ------
    MappingError
        If a tensor goes from DRAM straight to the multipliers, if sums are added up in DRAM, or if there
        are more than :data:`STEPS` transfers.
    CapacityError
        If the tensors of the layer take more than the DRAM has.
    """
    streams = [_Stream(walk, tensor) for tensor in RELEVANT]
    if sum(stream.visits for stream in streams) > STEPS:
        raise MappingError(
            f"its tiles come from DRAM in more than {STEPS} transfers: too many for a DRAM of devices"
        )
    places = _Places(walk, tensors, sizes, spills=streams[-1].visits > streams[-1].tiles)
    return told(_transfers(walk, streams, places), sizes), places.finished_elements


def _transfers(walk: Walk, streams: list[_Stream], places: _Places) -> Iterator[tuple[int, Transfer]]:
    """Yield what passes, in order."""
    weights, inputs, outputs = streams
    depth = max(stream.depth for stream in streams)
    trips = [loop.trips for loop in walk.tree.loops if not loop.spatial][:depth]
    zeros = walk.rules.first_read == "counted"
    added: dict[Start | tuple[int, ...], int] = {}
    held: Start | None = None
    yield RIGHT, places.tables()

    def leaves(start: Start) -> Iterator[tuple[int, Transfer]]:
        last = added[outputs.key(start)] == outputs.repeats
        yield (OUTPUTS, places.finished(outputs, start)) if last else (SUMS_OUT, places.sums(outputs, start))

    at, changed = [0] * depth, -1
    while True:
        new = [
            stream.start(at) if changed < stream.depth and stream.works(at) else None for stream in streams
        ]
        if new[2] is not None:
            if held is not None:
                yield from leaves(held)
            held = new[2]
        if new[0] is not None:
            yield from ((RIGHT, moved) for moved in places.right(weights, new[0]))
        if new[1] is not None:
            onward = changed == inputs.sweep
            yield from ((INPUTS, moved) for moved in places.inputs(inputs, new[1], onward))
        if new[2] is not None:
            key = outputs.key(new[2])
            if added.get(key) or zeros:
                yield SUMS_IN, places.sums(outputs, new[2])
            added[key] = added.get(key, 0) + 1
        changed = depth - 1
        while changed >= 0 and at[changed] + 1 == trips[changed]:
            at[changed] = 0
            changed -= 1
        if changed < 0:
            break
        at[changed] += 1
    if held is not None:
        yield from leaves(held)


class _Stream:
    """When and where tiles of one tensor begin."""

    def __init__(self, walk: Walk, tensor: str) -> None:
        keepers, self.tensor = walk.tree.keepers[tensor], tensor
        if len(keepers) < 2:
            raise MappingError(
                f"no level holds {tensor} between DRAM and the multipliers: a DRAM of devices needs one"
            )
        self.place = keepers[1]
        self.loops = walk.walked(tensor, self.place)
        self.depth = len(self.loops)
        self.size = {dim: walk.tree.extent(self.place, dim) for dim in walk.tree.sizes}
        self._sizes = walk.tree.sizes
        shared = walk.sharing(tensor, 0, self.place)
        spread = walk.spread(self.place)
        nodes = walk.tree.hierarchy.nodes
        #: Loops along axes whose copies get words together, and those whose copies get them one by one.
        self.together: list[PlacedLoop] = []
        self.apart: list[PlacedLoop] = []
        for loop in spread:
            if loop.dim in _FREE[tensor]:
                merged = loop.place in shared
            else:
                windows = tensor == "inputs" and loop.dim in "PQRS"
                merged = not windows or (
                    loop.place in shared and bool(getattr(nodes[loop.place], "diagonal", 0))
                )
            (self.together if merged else self.apart).append(loop)
        if tensor == "outputs" and self.apart:
            name = nodes[self.apart[0].place].name
            raise MappingError(f"axis {name!r} does not add up outputs, and a DRAM of devices adds up none")
        found = walk.sweep(self.place) if tensor == "inputs" else None
        #: Number of the loop along which tiles overlap, -2 if there is none.
        self.sweep = -2 if found is None else self.depth - 1
        self.swept = "" if found is None else found.dim
        self.back = 0 if found is None else found.step
        #: How often each tile is visited, how many there are, and all visits.
        self.repeats = walk.visits(_FREE[tensor], self.loops)
        self.tiles = walk.visits(RELEVANT[tensor], self.loops)
        self.visits = self.repeats * self.tiles * prod(loop.trips for loop in self.apart)
        self._positions: dict[tuple[str, int], IntArray] = {}

    def start(self, at: list[int]) -> Start:
        """Where the tile begins, for positions of the loops."""
        found = dict.fromkeys(self._sizes, 0)
        for position, loop in zip(at, self.loops, strict=False):
            found[loop.dim] += position * loop.step
        return found

    def works(self, at: list[int]) -> bool:
        """Whether there is anything in the tile: loops may go beyond an edge."""
        return all(first < self._sizes[dim] for dim, first in self.start(at).items())

    def key(self, start: Start) -> tuple[int, ...]:
        """What tells the tile from others."""
        return tuple(start[dim] for dim in RELEVANT[self.tensor])

    def members(self, start: Start) -> Iterator[Start]:
        """Where the tiles of copies begin that get words one by one."""
        for steps in product(*(range(loop.trips) for loop in self.apart)):
            found = dict(start)
            for step, loop in zip(steps, self.apart, strict=True):
                found[loop.dim] += step * loop.step
            if all(first < self._sizes[dim] for dim, first in found.items()):
                yield found

    def firsts(self, start: Start, dim: str) -> list[int]:
        """Where the tiles of copies begin along a dimension that get words together."""
        found = [start[dim]]
        for loop in self.together:
            if loop.dim == dim:
                found = [first + step * loop.step for first in found for step in range(loop.trips)]
        return [first for first in found if first < self._sizes[dim]]

    def positions(self, start: Start, dim: str) -> IntArray:
        """Positions of the tiles of these copies along a dimension, ascending."""
        key = dim, start[dim]
        if key not in self._positions:
            size, end = self.size[dim], self._sizes[dim]
            each = [np.arange(first, min(first + size, end)) for first in self.firsts(start, dim)]
            self._positions[key] = each[0] if len(each) == 1 else np.unique(np.concatenate(each))
        return self._positions[key]


class _Places:
    """Where the tensors of a layer lie, and the transfers of their tiles."""

    def __init__(self, walk: Walk, tensors: DramTensors, sizes: DramSizes, *, spills: bool) -> None:
        nest = walk.nest
        self._walk, self._tensors, self._dram = walk, tensors, sizes
        n, g, m, c = nest.batch, nest.groups, nest.filters, nest.channels
        p, q = nest.rows.outputs, nest.cols.outputs
        h, w = extent(nest.rows, walk.rules), extent(nest.cols, walk.rules)
        self._inputs = laid_out("NGCHW", "NGHWC", tensors.inputs_last, N=n, G=g, C=c, H=h, W=w)
        self._outputs = laid_out("NGMPQ", "NGPQM", tensors.outputs_last, N=n, G=g, M=m, P=p, Q=q)
        self._second = Layout("GCM", (g, c, m))
        sums = spills or walk.rules.first_read == "counted"
        self._bases = regions(
            sizes,
            tensors.tables,
            tensors.weights if tensors.second is None else tensors.second * g * c * m,
            (tensors.inputs or 0) * n * g * c * h * w,
            (tensors.outputs or 0) * tensors.written,
            tensors.sums * nest.output_elements if sums else 0,
        )
        self._padding = (nest.rows.before, nest.cols.before) if walk.rules.padding == "fetched" else (0, 0)
        self._lies: dict[tuple[int, ...], tuple[int, int]] = {}
        self._weights = 0
        self._windows: dict[tuple[object, ...], IntArray] = {}
        self._known: dict[tuple[object, ...], Transfer] = {}
        self.finished_elements = 0

    def tables(self) -> Transfer:
        """The tables of the weights' format."""
        return self._range(0, self._tensors.tables, _TABLES)

    def right(self, stream: _Stream, start: Start) -> Iterator[Transfer]:
        """Tiles of the weights, or of the computed tensor in their place."""
        width = self._tensors.second
        for member in stream.members(start):
            if width is not None:
                yield self._rectangle(stream, member, self._second, width, _RIGHT)
            elif self._tensors.weights:
                yield self._visited(stream, member)

    def _visited(self, stream: _Stream, start: Start) -> Transfer:
        """Weights lie in the order in which they are first visited, all of equal size."""
        key = stream.key(start)
        if key not in self._lies:
            count = prod(len(stream.positions(start, dim)) for dim in RELEVANT["weights"])
            self._lies[key] = self._weights, self._weights + count
            self._weights += count
        first, end = self._lies[key]
        bits, every = self._tensors.weights, prod(self._walk.nest.kernel.shape)
        return self._range(first * bits // every, end * bits // every, _RIGHT)

    def inputs(self, stream: _Stream, start: Start, onward: bool) -> Iterator[Transfer]:
        """Tiles of the inputs; if the loop along which they overlap went on, without what was there."""
        width = self._tensors.inputs
        for member in stream.members(start):
            key = (_INPUTS, onward, *stream.key(member))
            found = self._known.get(key)
            if found is None:
                chosen = {dim: stream.positions(member, dim) for dim in "NGC"}
                for name, dims in zip("HW", IMAGE_AXES, strict=True):
                    chosen[name] = self._window(stream, member, dims, onward)
                found = self._moved(self._inputs, chosen, width, _INPUTS)
                if stream.repeats > 1:
                    self._known[key] = found
            yield found

    def _window(self, stream: _Stream, start: Start, dims: tuple[str, str], onward: bool) -> IntArray:
        """Stored positions along an image axis that the tiles of copies need together."""
        keep = onward and stream.swept in dims
        key = (dims, keep, start[dims[0]], start[dims[1]])
        if key not in self._windows:
            image = self._walk.image(dims, stream.place)
            found: set[int] = set()
            for first in product(*(stream.firsts(start, dim) for dim in dims)):
                tile = image.needed(*first)
                if keep:
                    before = list(first)
                    before[dims.index(stream.swept)] -= stream.back
                    tile = tile - image.needed(*before)
                found |= tile
            shift = self._padding[dims[0] == "Q"]
            self._windows[key] = np.array(sorted(found), dtype=np.int64) + shift
        return self._windows[key]

    def sums(self, stream: _Stream, start: Start) -> Transfer:
        """A tile of partial sums."""
        return self._rectangle(stream, start, self._outputs, self._tensors.sums, _SUMS)

    def finished(self, stream: _Stream, start: Start) -> Transfer:
        """A tile of finished outputs."""
        width, written = self._tensors.outputs, self._tensors.written
        every, done = self._walk.nest.output_elements, self.finished_elements
        count = prod(len(stream.positions(start, dim)) for dim in "NGMPQ")
        self.finished_elements += count
        if width is None:
            return nothing(count)
        if written == every:
            return self._rectangle(stream, start, self._outputs, width, _OUTPUTS)
        # Shrunk by what is folded in: one behind the other.
        first, end = (at * written // every for at in (done, done + count))
        return self._stored(np.array([first]), np.array([end - first]), width, _OUTPUTS, count)

    def _rectangle(
        self, stream: _Stream, start: Start, layout: Layout, width: Fraction | int, region: int
    ) -> Transfer:
        key = (region, *stream.key(start))
        found = self._known.get(key)
        if found is None:
            chosen = {dim: stream.positions(start, dim) for dim in layout.dims}
            found = self._moved(layout, chosen, width, region)
            if stream.repeats > 1:
                self._known[key] = found
        return found

    def _moved(
        self, layout: Layout, chosen: dict[str, IntArray], width: Fraction | int | None, region: int
    ) -> Transfer:
        count = prod(len(positions) for positions in chosen.values())
        if width is None or not count:
            return nothing(count)
        start, length = layout.runs(chosen)
        return self._stored(start, length, width, region, count)

    def _stored(
        self, start: IntArray, length: IntArray, width: Fraction | int, region: int, count: int
    ) -> Transfer:
        low, high = stored_bits(start, length, width)
        return transfer(low + self._bases[region], high + self._bases[region], self._dram, count)

    def _range(self, low: int, high: int, region: int) -> Transfer:
        if high <= low:
            return nothing()
        base = self._bases[region]
        return transfer(np.array([low + base]), np.array([high + base]), self._dram)
