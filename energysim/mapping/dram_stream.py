"""The addresses that an explicit two-level mapping sends to DRAM, and what they find there.

Rules, all assumed:

* The tensors of a layer lie one behind the other, each from the start of a row: tables of the
  weights' format, weights, inputs, outputs, partial sums (accumulators, laid out as the outputs).
* Weights lie in the order in which the loops first visit their tiles; of a kernel that is not
  dense, the bits are shared out evenly over the tiles. Computed tensors lie as their shape says
  (:mod:`energysim.mapping.dram_layout`).
* A step of the loops first writes the output tile that it replaces, then reads weights, inputs and
  returning partial sums, as far as the buffer lacks them.
* Each of these is a transfer of its own, in ascending order of addresses: a burst is moved once in a
  transfer however many of its bytes are wanted. Another transfer moves it again, unless it begins with
  the burst with which the last one of the same kind ended: each kind keeps one burst.
* A row stays open from one transfer to the next until its bank needs another (policy ``open``).
  Rows that a refresh closes are not opened again here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from energysim.errors import CapacityError
from energysim.kernels import IntArray
from energysim.mapping.dram_layout import Layout, extent, input_positions, stored_bits
from energysim.mapping.nest import DIMENSIONS, Tiling
from energysim.mapping.row_buffers import RowBuffers, spanned, spans
from energysim.mapping.rules import Rules
from energysim.units import ceil_div, ceil_fraction
from energysim.workload import LoopNest

__all__ = ["Commands", "DramSizes", "DramTensors", "commands"]

#: Rows visited before the state of the banks is worked out.
_CHUNK = 1 << 18
#: What a transfer belongs to.
_LABELS = (("right", "read"), ("inputs", "read"), ("outputs", "write"), ("sums", "write"), ("sums", "read"))
_RIGHT, _INPUTS, _OUTPUTS, _SUMS_OUT, _SUMS_IN = range(5)

Key = tuple[int, ...]


@dataclass(frozen=True)
class _Transfer:
    """What moves together: bursts, rows in ascending order, elements.

    ``first`` and ``last`` are its outermost bursts; ``alone`` says that no other burst of it lies in the
    row of the first.
    """

    bursts: int
    rows: IntArray
    first: int = -1
    last: int = -1
    alone: bool = False
    elements: int = 0

    def behind(self, burst: int) -> tuple[int, IntArray]:
        """Bursts and rows if some burst is there already."""
        if self.first != burst or not self.bursts:
            return self.bursts, self.rows
        return self.bursts - 1, self.rows[1:] if self.alone else self.rows


_NOTHING = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class DramSizes:
    """What of a DRAM matters to a stream of addresses.

    Attributes
    ----------
    burst_bits, row_bits : int
    banks, rows : int
        All banks, rows of each.
    interleaved : bool
        See :class:`energysim.mapping.row_buffers.RowBuffers`.
    """

    burst_bits: int
    row_bits: int
    banks: int
    rows: int
    interleaved: bool = True


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


@dataclass(frozen=True)
class Commands:
    """What a DRAM is told to do.

    Attributes
    ----------
    bursts, activations : dict of (str, str) to int
        By what is moved (``right``, ``inputs``, ``outputs``, ``sums``) and ``read`` or ``write``.
    input_elements : int
        Elements of the inputs that were read, as a check.
    """

    bursts: dict[tuple[str, str], int]
    activations: dict[tuple[str, str], int]
    input_elements: int


def commands(
    nest: LoopNest, tiling: Tiling, rules: Rules, tensors: DramTensors, sizes: DramSizes
) -> Commands:
    """Return the bursts of a mapping and the rows it opens.

    Raises
    ------
    ValueError
        If the tiling is none of this loop nest.
    CapacityError
        If the tensors of the layer take more than the DRAM has.
    """
    places = _Places(nest, tiling, rules, tensors, sizes)
    banks = RowBuffers(sizes.banks, sizes.rows, interleaved=sizes.interleaved)
    bursts, opened = [0] * len(_LABELS), np.zeros(len(_LABELS), dtype=np.int64)
    held = [-1] * len(_LABELS)
    waiting: list[IntArray] = []
    labels: list[int] = []
    elements = rows = 0

    def settle() -> None:
        if waiting:
            whose = np.repeat(labels, [len(numbers) for numbers in waiting])
            found = banks.visit(np.concatenate(waiting))
            opened[:] += np.bincount(whose[found > 0], minlength=len(_LABELS))
            waiting.clear()
            labels.clear()

    for label, transfer in places.transfers():
        elements += transfer.elements if label == _INPUTS else 0
        if not transfer.bursts:
            continue
        count, numbers = transfer.behind(held[label])
        held[label] = transfer.last
        bursts[label] += count
        waiting.append(numbers)
        labels.append(label)
        rows += len(numbers)
        if rows > _CHUNK or len(waiting) > _CHUNK:
            settle()
            rows = 0
    settle()
    return Commands(
        dict(zip(_LABELS, bursts, strict=True)), dict(zip(_LABELS, map(int, opened), strict=True)), elements
    )


class _Places:
    """Regions of the tensors, and the transfers of each step."""

    def __init__(
        self, nest: LoopNest, tiling: Tiling, rules: Rules, tensors: DramTensors, sizes: DramSizes
    ) -> None:
        self.nest, self.tiling, self.rules, self.tensors, self.sizes = nest, tiling, rules, tensors, sizes
        self.trips = tiling.trips(nest)
        n, g, m, c, p, q = (
            nest.batch, nest.groups, nest.filters, nest.channels, nest.rows.outputs, nest.cols.outputs,
        )  # fmt: skip
        self.dims = {"N": n, "M": m, "C": c, "P": p, "Q": q}
        h, w = extent(nest.rows, rules), extent(nest.cols, rules)
        self.input_layout = _layout("NGCHW", "NGHWC", tensors.inputs_last, N=n, G=g, C=c, H=h, W=w)
        self.output_layout = _layout("NGMPQ", "NGPQM", tensors.outputs_last, N=n, G=g, M=m, P=p, Q=q)
        self.second_layout = Layout("GCM", (g, c, m))
        self._cols, self._rows = input_positions(nest.cols, rules), input_positions(nest.rows, rules)
        right = tensors.weights if tensors.second is None else ceil_fraction(tensors.second * g * c * m)
        of_inputs = ceil_fraction((tensors.inputs or Fraction(0)) * n * g * c * h * w)
        of_outputs = ceil_fraction((tensors.outputs or Fraction(0)) * tensors.written)
        sums = tensors.sums * nest.output_elements if self._spills else 0
        self.bases = self._regions(tensors.tables, right, of_inputs, of_outputs, sums)
        self._known: dict[Key, _Transfer] = {}

    def _regions(self, *bits: int) -> tuple[int, ...]:
        """First bit of each region."""
        found, row = [], 0
        for size in bits:
            found.append(row * self.sizes.row_bits)
            row += ceil_div(size, self.sizes.row_bits)
        if row > self.sizes.banks * self.sizes.rows:
            have = self.sizes.banks * self.sizes.rows * self.sizes.row_bits
            raise CapacityError(
                f"the tensors of this layer take {row * self.sizes.row_bits} bit of DRAM and it has {have}"
            )
        return tuple(found)

    @property
    def _spills(self) -> bool:
        """Whether partial sums pass through DRAM."""
        order = [dim for dim in self.tiling.order if self.trips[dim] > 1]
        inside = order[: order.index("C")] if "C" in order else []
        return self.rules.first_read == "counted" or any(dim in "NMPQ" for dim in inside)

    def transfers(self) -> Iterator[tuple[int, _Transfer]]:
        """Yield what passes, in order."""
        tensors, outer = self.tensors, self.tiling.order[::-1]
        if tensors.tables:
            yield _RIGHT, self._transfer(*_range(0, tensors.tables), 0)
        place = {dim: outer.index(dim) for dim in DIMENSIONS}
        sweep = next((dim for dim in self.tiling.order if dim != "M" and self.trips[dim] > 1), "")
        keeps = sweep in tuple("PQ") and self.rules.overlap == "one-axis"
        done = 0  # finished outputs
        weights: Key = ()
        inputs: Key = ()
        outputs: Key = ()
        channel, last = 0, self.trips["C"] - 1
        for group in range(self.nest.groups):
            for step in product(*(range(self.trips[dim]) for dim in outer)):
                n, m, c, p, q = (step[place[dim]] for dim in DIMENSIONS)
                if outputs and outputs != (group, n, m, p, q):
                    label, moved = self._replaced(outputs, channel == last, done)
                    done += moved.elements if label == _OUTPUTS else 0
                    yield label, moved
                if weights != (group, m, c):
                    weights = (group, m, c)
                    yield from self._right(weights)
                if inputs != (group, n, c, p, q):
                    follows = keeps and _next(inputs, (group, n, c, p, q), "GNCPQ".index(sweep))
                    inputs = (group, n, c, p, q)
                    if tensors.inputs is not None:
                        yield _INPUTS, self._inputs(inputs, sweep if follows else "")
                if outputs != (group, n, m, p, q):
                    outputs = (group, n, m, p, q)
                    if c or self.rules.first_read == "counted":
                        yield _SUMS_IN, self._sums(outputs)
                channel = c
        yield self._replaced(outputs, finished=True, done=done)

    def _replaced(self, tile: Key, finished: bool, done: int) -> tuple[int, _Transfer]:
        """The writing of an output tile that leaves the buffer."""
        if not finished:
            return _SUMS_OUT, self._sums(tile)
        chosen = self._chosen(tile, "GNMPQ")
        count = int(np.prod([len(positions) for positions in chosen.values()]))
        width, written, every = self.tensors.outputs, self.tensors.written, self.nest.output_elements
        if width is None:
            return _OUTPUTS, _Transfer(0, _NOTHING, elements=count)
        if written == every:
            start, length = self.output_layout.runs(chosen)
        else:  # shrunk by what is folded in: written one behind the other
            start, length = _range(done * written // every, (done + count) * written // every)
        return _OUTPUTS, self._transfer(*stored_bits(start, length, width), 3, count)

    def _sums(self, tile: Key) -> _Transfer:
        def make() -> _Transfer:
            start, length = self.output_layout.runs(self._chosen(tile, "GNMPQ"))
            return self._transfer(*stored_bits(start, length, self.tensors.sums), 4)

        return self._once((_SUMS_OUT, *tile), make, self._spills)

    def _inputs(self, tile: Key, sweep: str) -> _Transfer:
        def make() -> _Transfer:
            chosen = self._chosen(tile, "GNCPQ")
            for dim, name, needed in (("P", "H", self._rows), ("Q", "W", self._cols)):
                first, end = int(chosen[dim][0]), int(chosen[dim][-1]) + 1
                found = needed(first, end)
                if sweep == dim:
                    before = needed(max(first - self._tile(dim), 0), first)
                    found = np.setdiff1d(found, before, assume_unique=True)
                chosen[name] = found
            count = int(np.prod([len(chosen[dim]) for dim in self.input_layout.dims]))
            start, length = self.input_layout.runs(chosen)
            return self._transfer(*stored_bits(start, length, self.tensors.inputs or 0), 2, count)

        return self._once((_INPUTS, *tile, "-PQ".index(sweep or "-")), make, self.trips["M"] > 1)

    def _right(self, tile: Key) -> Iterator[tuple[int, _Transfer]]:
        """The tile of the weights, or of the computed tensor in their place."""
        tensors = self.tensors

        def make() -> _Transfer:
            chosen = self._chosen(tile, "GMC")
            if tensors.second is not None:
                return self._transfer(*stored_bits(*self.second_layout.runs(chosen), tensors.second), 1)
            every = self.nest.groups * self.dims["M"] * self.dims["C"]
            first, count = self._before(tile, chosen)
            low, high = first * tensors.weights // every, (first + count) * tensors.weights // every
            return self._transfer(np.array([low])[: high > low], np.array([high])[: high > low], 1)

        if tensors.weights or tensors.second is not None:
            again = any(self.trips[dim] > 1 for dim in "NPQ")
            yield _RIGHT, self._once((_RIGHT, *tile), make, again)

    def _before(self, tile: Key, chosen: dict[str, IntArray]) -> tuple[int, int]:
        """Windows that are stored before those of a tile, and its own."""
        filters, channels = len(chosen["M"]), len(chosen["C"])
        m, c = int(chosen["M"][0]), int(chosen["C"][0])
        own = tile[0] * self.dims["M"] * self.dims["C"]
        if self.tiling.order.index("M") > self.tiling.order.index("C"):  # C runs inside M
            return own + m * self.dims["C"] + filters * c, filters * channels
        return own + c * self.dims["M"] + channels * m, filters * channels

    def _tile(self, dim: str) -> int:
        return self.tiling.tiles[DIMENSIONS.index(dim)]

    def _chosen(self, tile: Key, dims: str) -> dict[str, IntArray]:
        """Positions of a tile along each loop."""
        found = {"G": np.array([tile[0]])}
        for dim, number in zip(dims[1:], tile[1:], strict=True):
            first = number * self._tile(dim)
            found[dim] = np.arange(first, min(first + self._tile(dim), self.dims[dim]), dtype=np.int64)
        return found

    def _transfer(self, low: IntArray, high: IntArray, region: int, elements: int = 0) -> _Transfer:
        """What it takes to move some ranges of bits."""
        if not len(low):
            return _Transfer(0, _NOTHING, elements=elements)
        low, high = low + self.bases[region], high + self.bases[region] - 1
        burst, row = self.sizes.burst_bits, self.sizes.row_bits
        first, last = low // burst, high // burst
        beyond = np.maximum(first, first[0] + 1)
        others = beyond[beyond <= last]
        each = row // burst
        return _Transfer(
            spanned(first, last),
            spans(low // row, high // row),
            int(first[0]),
            int(last[-1]),
            not len(others) or int(others[0]) // each != int(first[0]) // each,
            elements,
        )

    def _once(self, key: Key, make: Callable[[], _Transfer], again: bool) -> _Transfer:
        """A transfer, remembered if it will be made again."""
        found = self._known.get(key)
        if found is None:
            found = make()
            if again:
                self._known[key] = found
        return found


def _layout(first: str, last: str, channels_last: bool, **sizes: int) -> Layout:
    dims = last if channels_last else first
    return Layout(dims, tuple(sizes[dim] for dim in dims))


def _range(first: int, end: int) -> tuple[IntArray, IntArray]:
    """First element and length of one run."""
    return np.array([first], dtype=np.int64), np.array([end - first], dtype=np.int64)


def _next(before: Key, now: Key, at: int) -> bool:
    """Whether a step went one forward along one loop and stayed along the others."""
    return (
        bool(before)
        and now[at] == before[at] + 1
        and now[:at] + now[at + 1 :] == before[:at] + before[at + 1 :]
    )
